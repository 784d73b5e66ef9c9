"""The lines instrument: hits are exact in every thread and process, whatever ends them."""

from collections import Counter
from pathlib import Path

import pytest

from concurtrace.model.recording import LineProfile
from tests.plugin_site import install_workload
from tests.recorder import PROGRAM, record_script, record_workload

START_METHODS = ("fork", "spawn", "forkserver")


def record(
    folder: Path, program: str, *arguments: str, functions: tuple[str, ...] = ()
) -> LineProfile:
    """Profile a script and return what the instrument recorded."""
    profile = record_script(
        folder, program, *arguments, instrument="lines", functions=functions
    ).lines
    assert profile is not None
    return profile


def hits(profile: LineProfile, how: str | None = None) -> Counter[str]:
    """Count hits by the text of the line, in processes started in one way or in all."""
    text = {one.file: one.lines for one in profile.sources}
    found: Counter[str] = Counter()
    for table in profile.tables:
        for row in table.lines:
            if how in (None, table.process.started_by):
                found[text[row.file][row.line - 1].strip()] += row.hits
    return found


def test_hits_in_four_threads_at_once_are_exact(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
import threading
def leaf(count):
    total = 0
    for number in range(count):
        total += number
    return total
def calls(count):
    for _ in range(count):
        leaf(5)
def main():
    done = []
    def nested(count):
        calls(count)
        done.append(count)
    threads = [threading.Thread(target=nested, args=(1000 + i,)) for i in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(done) == [1000, 1001, 1002, 1003]
main()
""",
    )
    found = hits(profile)
    assert found["total = 0"] == found["return total"] == found["leaf(5)"] == 4006
    assert found["for number in range(count):"] == 6 * 4006
    assert found["total += number"] == 5 * 4006
    assert found["calls(count)"] == found["done.append(count)"] == 4
    assert found["one.join()"] == 4
    assert profile.losses == ()
    (table,) = profile.tables
    names = {row.function for row in table.lines}
    assert {"leaf", "calls", "main", "main.<locals>.nested", "<module>"} <= names
    assert any("--lines" in note for note in profile.notes)


@pytest.mark.parametrize("method", START_METHODS)
def test_children_of_every_start_method_are_covered(tmp_path: Path, method: str) -> None:
    profile = record(
        tmp_path,
        """
import multiprocessing, sys
def work(number):
    return number + 1
def child(count):
    for number in range(count):
        work(number)
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    child(2)
    one = context.Process(target=child, args=(7,), name="one")
    one.start()
    one.join()
    with context.Pool(2) as pool:
        pool.map(work, range(40), chunksize=5)
""",
        method,
    )
    assert hits(profile, "main")["return number + 1"] == 2
    assert hits(profile, method)["return number + 1"] == 47
    assert hits(profile, method)["work(number)"] == 7
    assert profile.losses == ()
    assert "one" in {table.process.name for table in profile.tables}


def test_coroutines_generators_recursion_and_exceptions(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
import asyncio
async def step(count):
    for _ in range(count):
        await asyncio.sleep(0)
    return count
async def main():
    assert await asyncio.gather(*(step(10) for _ in range(5))) == [10] * 5
def generate(count):
    for number in range(count):
        yield number
def factorial(number):
    if number < 2:
        return 1
    return number * factorial(number - 1)
def fails():
    raise LookupError
def catches():
    try:
        fails()
    except LookupError:
        return 7
asyncio.run(main())
assert sum(generate(9)) == 36
factorial(10)
for _ in range(3):
    catches()
""",
    )
    found = hits(profile)
    assert found["await asyncio.sleep(0)"] == 50
    assert found["return count"] == 5
    assert found["yield number"] == 9
    assert found["if number < 2:"] == 10
    assert found["return number * factorial(number - 1)"] == 9
    assert found["raise LookupError"] == found["fails()"] == found["return 7"] == 3
    assert any("suspended" in note for note in profile.notes)


def test_lines_that_never_end_count_as_hit(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
import os, threading, warnings
warnings.simplefilter("ignore")  # of forks beside threads
ready = threading.Event()
def forever():
    ready.set()
    threading.Event().wait()
def in_child():
    os._exit(0)
def forks():
    child = os.fork()
    if child == 0:
        in_child()
    os.waitpid(child, 0)
threading.Thread(target=forever, daemon=True).start()
ready.wait()
forks()
os._exit(0)
""",
    )
    found = hits(profile, "main")
    assert found["ready.set()"] == found["threading.Event().wait()"] == 1
    assert found["child = os.fork()"] == found["os.waitpid(child, 0)"] == 1
    assert found["os._exit(0)"] == 1
    inside = hits(profile, "fork")
    assert inside == {"if child == 0:": 1, "in_child()": 1, "os._exit(0)": 1}
    assert any("still ran" in note for note in profile.notes)


def test_a_killed_worker_is_a_loss_and_harms_nobody_else(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
import multiprocessing, os, signal
def killed():
    os.kill(os.getpid(), signal.SIGKILL)
def spared():
    return 1
context = multiprocessing.get_context("fork")
children = [context.Process(target=one, name=one.__name__) for one in (killed, spared)]
for one in children:
    one.start()
    one.join()
""",
    )
    assert hits(profile, "fork")["return 1"] == 1
    (loss,) = profile.losses
    assert "killed" in loss.what


def test_named_functions_are_watched_and_unknown_ones_are_told(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(
        "class Tool:\n    def use(self):\n        return 'used'\n    def rest(self):\n"
        "        return 'rest'\n"
    )
    profile = record(
        tmp_path,
        """
import helper, textwrap
def mine():
    return 'mine'
for _ in range(3):
    mine()
    helper.Tool().use()
    helper.Tool().rest()
    textwrap.dedent(" x")
""",
        functions=("helper:Tool.use", "program:mine", "textwrap:dedent", "helper:nope", "gone:f"),
    )
    found = hits(profile)
    assert found["return 'used'"] == 3
    assert found["return 'mine'"] == 3
    assert found["return 'rest'"] == 0
    files = {Path(row.file).name for table in profile.tables for row in table.lines}
    assert files == {"helper.py", PROGRAM, "textwrap.py"}
    assert sorted(loss.what for loss in profile.losses) == ["gone:f", "helper:nope"]
    assert profile.notes == ()


def test_hits_that_may_be_anothers_are_told(tmp_path: Path) -> None:
    # A script is compiled before anyone can mark its code: its twin elsewhere counts too.
    twin = """
class {name}:
    field = 1
    def twin(self):
        return self.{field}
"""
    (tmp_path / "other.py").write_text(twin.format(name="Other", field="field"))
    profile = record(
        tmp_path,
        twin.format(name="Own", field="field")
        + """
import other
for _ in range(3):
    Own().twin()
other.Other().twin()
""",
    )
    assert hits(profile)["return self.field"] == 4
    (loss,) = profile.losses
    assert loss.what == f"line 5 of {tmp_path / PROGRAM}"
    assert "Other.twin in" in loss.reason


WORKLOAD = """
'''Counts.'''
import threading
from concurtrace.workload import Parameter, Result, Workload
import counting_twin
def twin(things):
    return things.records
WORKLOAD = Workload(parameters=(Parameter("size", 30, "items", 1, 99),))

def count(size):
    for number in range(size):
        yield (number,)

@WORKLOAD.mode()
def threads(work):
    records = []
    def fill():
        records.extend(count(work.size))
    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
    result = Result(records)
    for _ in range(5):
        counting_twin.twin(result)
    assert twin(result) is records
    return result
"""


def test_the_functions_of_a_workload_are_watched_by_default(tmp_path: Path) -> None:
    extra = install_workload(tmp_path / "site", "counting", WORKLOAD)
    twin = "\n" * 5 + "def twin(things):\n    return things.observed\n"
    (tmp_path / "site" / "counting_twin.py").write_text(twin)
    profile = record_workload(tmp_path, "counting", instrument="lines", extra=extra).lines
    assert profile is not None
    found = hits(profile)
    assert found["yield (number,)"] == 30
    assert found["records.extend(count(work.size))"] == 1
    assert found["result = Result(records)"] == 1
    assert found["return things.records"] == 1
    (source,) = profile.sources
    assert "\n".join(source.lines) == WORKLOAD.rstrip("\n")
    assert profile.losses == ()
    assert [note for note in profile.notes if "wall time" not in note] == []
