"""The timeline instrument: exact call trees, right names, one bounded file, nothing silent."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from concurtrace import api
from concurtrace.errors import RunDataError
from concurtrace.model.recording import CallNode, Timeline
from concurtrace.rundir import store
from tests.cli import concurtrace
from tests.recorder import PROGRAM, record_script

START_METHODS = ("fork", "spawn", "forkserver")
Event = dict[str, Any]


def record(folder: Path, program: str, *arguments: str, **options: int) -> Timeline:
    timeline = record_script(
        folder, program, *arguments, instrument="timeline", options=options
    ).timeline
    assert timeline is not None
    return timeline


def nodes(roots: tuple[CallNode, ...]) -> Iterator[CallNode]:
    todo = list(roots)
    while todo:
        node = todo.pop()
        yield node
        todo.extend(node.children)


def calls(timeline: Timeline, name: str) -> dict[str, int]:
    """Count the calls of a function by process and thread."""
    found: Counter[str] = Counter()
    for tree in timeline.trees:
        for node in nodes(tree.roots):
            if node.function.name == name:
                found[f"{tree.process.name}/{tree.thread}"] += node.calls
    return dict(found)


def events(timeline: Timeline) -> list[Event]:
    document = json.loads(Path(timeline.file).read_bytes())
    found: list[Event] = document["traceEvents"]
    assert sum(1 for event in found if event["ph"] == "X") == timeline.events
    return found


def names(timeline: Timeline, kind: str) -> list[str]:
    return sorted(
        event["args"]["name"]
        for event in events(timeline)
        if event["ph"] == "M" and event["name"] == kind
    )


CHILDREN = """
import multiprocessing, sys
def work(number):
    return number * number
def child(count):
    for number in range(count):
        work(number)
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=child, args=(7 + i,), name=f"child-{i}") for i in range(3)]
    for one in children:
        one.start()
    for one in children:
        one.join()
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_calls_in_child_processes_are_exact_and_named(tmp_path: Path, method: str) -> None:
    timeline = record(tmp_path, CHILDREN, method)
    assert calls(timeline, "work") == {f"child-{i}/MainThread": 7 + i for i in range(3)}
    assert {tree.process.started_by for tree in timeline.trees} == {"main", method}
    assert names(timeline, "process_name") == [*(f"child-{i}" for i in range(3)), PROGRAM]
    assert set(names(timeline, "thread_name")) == {"MainThread"}
    works = [event for event in events(timeline) if event["name"].startswith("work (")]
    assert len(works) == 24
    assert (timeline.dropped, timeline.min_duration_ns, timeline.losses) == (0, 0, ())
    assert timeline.notes == ()


def test_calls_nest_on_every_track(tmp_path: Path) -> None:
    timeline = record(tmp_path, CHILDREN, "fork")
    tracks: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for event in events(timeline):
        if event["ph"] == "X":
            spans = tracks.setdefault((event["pid"], event["tid"]), [])
            spans.append((event["ts"], event["ts"] + event["dur"]))
    assert len(tracks) == 4
    for spans in tracks.values():
        open_until: list[float] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_until and open_until[-1] <= start:
                open_until.pop()
            # Files hold microseconds to the nanosecond, sums of two may be off by one.
            assert not open_until or end <= open_until[-1] + 0.002
            open_until.append(end)


@pytest.mark.parametrize("method", START_METHODS)
def test_a_pool_that_is_terminated_loses_nothing(tmp_path: Path, method: str) -> None:
    timeline = record(
        tmp_path,
        """
import multiprocessing, sys
def work(number):
    return number + 1
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        assert sum(pool.map(work, range(40), chunksize=5)) == 820
""",
        method,
    )
    assert sum(calls(timeline, "work").values()) == 40
    assert timeline.losses == ()


def test_threads_have_their_names_and_their_own_trees(tmp_path: Path) -> None:
    timeline = record(
        tmp_path,
        """
import threading
def leaf():
    pass
def work(count):
    for _ in range(count):
        leaf()
def forever():
    work(9)
    ready.set()
    threading.Event().wait()
ready = threading.Event()
threads = [threading.Thread(target=work, args=(100 + i,), name=f'"t"{i}') for i in range(3)]
for one in threads:
    one.start()
for one in threads:
    one.join()
assert threading.active_count() == 1, threading.enumerate()
threading.Thread(target=forever, daemon=True, name="daemon").start()
ready.wait()
""",
    )
    expected = {f'{PROGRAM}/"t"{i}': 100 + i for i in range(3)}
    assert calls(timeline, "leaf") == {**expected, f"{PROGRAM}/daemon": 9}
    assert set(names(timeline, "thread_name")) == {"MainThread", "daemon", '"t"0', '"t"1', '"t"2'}
    assert timeline.losses == ()


def test_tasks_have_tracks_of_their_own_in_the_tree_of_their_thread(tmp_path: Path) -> None:
    timeline = record(
        tmp_path,
        """
import asyncio, threading
def leaf():
    pass
async def nap(count):
    for _ in range(count):
        leaf()
        await asyncio.sleep(0)
async def main(prefix):
    names = [prefix + ' "quoted"', prefix + " back\\\\slash", prefix + " new\\nline"]
    await asyncio.gather(*(asyncio.create_task(nap(5), name=name) for name in names))
other = threading.Thread(target=lambda: asyncio.run(main("other")), name="other")
other.start()
asyncio.run(main("first"))
other.join()
""",
    )
    assert calls(timeline, "leaf") == {f"{PROGRAM}/MainThread": 15, f"{PROGRAM}/other": 15}
    tracks = names(timeline, "thread_name")
    for prefix in ("first", "other"):
        assert {f'{prefix} "quoted"', f"{prefix} back\\slash", f"{prefix} new\nline"} < set(tracks)
    for tree in timeline.trees:
        loops = [one for one in nodes(tree.roots) if one.function.name.endswith(".run_forever")]
        below = [one for loop in loops for one in nodes(loop.children)]
        assert sum(one.calls for one in below if one.function.name == "leaf") == 15
    assert any("coroutine" in note for note in timeline.notes)


def test_the_budget_keeps_the_longest_calls_and_tells(tmp_path: Path) -> None:
    timeline = record(
        tmp_path,
        """
def leaf():
    pass
def many():
    for _ in range(3000):
        leaf()
def long():
    many()
long()
""",
        max_events=500,
    )
    found = events(timeline)
    assert timeline.budget == 500
    assert timeline.events + timeline.dropped > 3000
    assert 0 < timeline.events <= 500
    assert timeline.min_duration_ns > 0
    labels = {event["name"].partition(" ")[0] for event in found}
    assert {"<module>", "long", "many"} <= labels
    assert any("left out" in note for note in timeline.notes)
    # The tree is made of all calls.
    assert calls(timeline, "leaf") == {f"{PROGRAM}/MainThread": 3000}


def test_a_flood_of_calls_is_bounded_and_covers_the_whole_run(tmp_path: Path) -> None:
    timeline = record(
        tmp_path,
        """
def leaf():
    pass
def flood():
    for _ in range(700_000):
        leaf()
def first():
    flood()
def last():
    flood()
first()
last()
""",
    )
    counted = sum(calls(timeline, "leaf").values())
    assert timeline.events <= timeline.budget
    # Either ever longer calls were left out, or the oldest; both are told.
    told = timeline.losses or any("too fast" in note for note in timeline.notes)
    assert told
    assert counted < 1_400_000
    labels = [event["name"].partition(" ")[0] for event in events(timeline)]
    assert labels.count("last") == labels.count("first") == 1
    assert labels.count("flood") == 2
    raw = store.find("last", tmp_path / store.RUNS) / "raw" / "timeline" / "timeline"
    (trace,) = raw.glob("*.json")
    assert len(json.loads(trace.read_bytes())["traceEvents"]) <= 2 * timeline.budget + 10


def test_recursion_may_be_deeper_than_ours(tmp_path: Path) -> None:
    timeline = record(
        tmp_path,
        """
import sys
sys.setrecursionlimit(20_000)
def down(depth):
    if depth > 1:
        down(depth - 1)
down(4000)
""",
    )
    assert calls(timeline, "down") == {f"{PROGRAM}/MainThread": 4000}
    again = api.load(store.find("last", tmp_path / store.RUNS)).recording.timeline
    assert again is not None
    assert calls(again, "down") == {f"{PROGRAM}/MainThread": 4000}


def test_forks_do_not_see_us_and_go_on_in_both_processes(tmp_path: Path) -> None:
    timeline = record(
        tmp_path,
        """
import os, warnings
warnings.simplefilter("error")  # of forks beside threads, for one
def before(): pass
def inside(): pass
def after(): pass
def fork():
    before()
    child = os.fork()
    if child == 0:
        inside()
        inside()
        os._exit(0)
    os.waitpid(child, 0)
    after()
fork()
fork()
os._exit(0)
""",
    )
    by_start: Counter[tuple[str, str]] = Counter()
    for tree in timeline.trees:
        for node in nodes(tree.roots):
            by_start[node.function.name, tree.process.started_by] += node.calls
    for name, how, count in (("before", "main", 2), ("inside", "fork", 4), ("after", "main", 2)):
        assert {key: n for key, n in by_start.items() if key[0] == name} == {(name, how): count}
    assert timeline.losses == ()


def test_a_killed_worker_is_a_loss_and_harms_nobody_else(tmp_path: Path) -> None:
    timeline = record(
        tmp_path,
        """
import multiprocessing, os, signal
def work(): pass
def killed():
    work()
    os.kill(os.getpid(), signal.SIGKILL)
def spared():
    work()
context = multiprocessing.get_context("fork")
children = [context.Process(target=one, name=one.__name__) for one in (killed, spared)]
for one in children:
    one.start()
    one.join()
work()
""",
    )
    assert calls(timeline, "work") == {f"{PROGRAM}/MainThread": 1, "spared/MainThread": 1}
    (loss,) = timeline.losses
    assert "killed" in loss.what


def test_nothing_of_ours_is_in_it(tmp_path: Path) -> None:
    timeline = record(
        tmp_path,
        """
import multiprocessing, threading
def work():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
work()
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
""",
    )
    ours = str(Path(api.__file__).parent)
    functions = [node.function for tree in timeline.trees for node in nodes(tree.roots)]
    assert functions
    assert not [one for one in functions if one.file.startswith(ours)]
    assert not [one for one in functions if "json" in one.file or "json" in one.name]
    assert not [event for event in events(timeline) if ours in event["name"]]
    assert not [event for event in events(timeline) if "viztracer" in event["name"].lower()]
    bootstraps = calls(timeline, "BaseProcess._bootstrap")
    assert list(bootstraps.values()) == [1]


def test_the_merged_file_is_made_anew_where_it_is_missing(tmp_path: Path) -> None:
    timeline = record(tmp_path, CHILDREN, "fork")
    run = store.find("last", tmp_path / store.RUNS)
    before = Path(timeline.file).read_bytes()
    assert Path(timeline.file).parent == run / "derived"
    assert api.load(run).recording.timeline == timeline
    for kept in ("timeline.json", "timeline-summary.json"):
        (run / "derived" / kept).unlink()
        assert api.load(run).recording.timeline == timeline
        assert Path(timeline.file).read_bytes() == before
    (run / "derived" / "timeline-summary.json").write_text("{}")
    assert api.load(run).recording.timeline == timeline


def test_damaged_files_are_named(tmp_path: Path) -> None:
    record(tmp_path, "def work():\n    pass\nwork()\n")
    run = store.find("last", tmp_path / store.RUNS)
    out = run / "raw" / "timeline" / "timeline"
    (trace,) = out.glob("*.json")
    (about,) = out.glob("*.about")
    for path in (trace, about):
        whole = path.read_text()
        for damaged in (whole[: len(whole) // 2], whole.replace('"', "'"), ""):
            path.write_text(damaged)
            with pytest.raises(RunDataError, match=path.name):
                api.load(run)
        path.write_text(whole)
    trace.unlink()
    with pytest.raises(RunDataError, match=trace.name):
        api.load(run)


def test_a_file_whose_name_is_no_text_is_a_loss(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.py")
    (tmp_path / odd).write_text("def work():\n    pass\nwork()\n")
    done = concurtrace(tmp_path, "run", "--with", "timeline", odd)
    assert done.returncode == 0, done.stderr
    timeline = api.load(store.find("last", tmp_path / store.RUNS)).recording.timeline
    assert timeline is not None
    (loss,) = timeline.losses
    assert "not UTF-8" in loss.reason
