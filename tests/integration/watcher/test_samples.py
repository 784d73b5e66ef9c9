"""Which function ran, in programs that dictate it."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from concurtrace.model.spans import Frame
from concurtrace.model.states import State
from concurtrace.recording.live_stacks import LiveStacks
from concurtrace.recording.samples import SampleRead, read_samples
from concurtrace.recording.tables import StackTable
from concurtrace.recording.watched import Kind, read_table
from tests.integration.watcher.bench import Bench


@dataclass(frozen=True)
class Seen:
    """Samples with their stacks spelled out."""

    read: SampleRead
    stacks: list[tuple[Frame, ...]]

    def of(self, tid: int) -> list[tuple[Frame, ...]]:
        mine = self.read.samples.tid == tid
        return [stack for stack, one in zip(self.stacks, mine.tolist(), strict=True) if one]


def _seen(bench: Bench) -> Seen:
    table = StackTable()
    read = read_samples(bench.out, table)
    stacks = table.finish()
    return Seen(read, [stacks.frames(one) for one in read.samples.stack.tolist()])


def _enough(bench: Bench, number: int = 300, images: int = 1) -> Callable[[], bool]:
    """Make a question: were so many process images sampled so often since it was first asked?"""
    before: list[Counter[int]] = []

    def asked() -> bool:
        if not Kind.SAMPLES.path(bench.out).exists():
            return False
        now = Counter(read_table(bench.out, Kind.SAMPLES).items["image"].tolist())
        before.append(now)
        return sum(count >= number for count in (now - before[0]).values()) >= images

    return asked


SPINNERS = """
import sys, threading
done = False
def spin_left():
    total = 0
    while not done:
        total += 1

def spin_right():
    total = 0
    while not done:
        total += 1

def rest():
    done_too.wait()

done_too = threading.Event()
threads = {f.__name__: threading.Thread(target=f) for f in (spin_left, spin_right, rest)}
for one in threads.values(): one.start()
print("working", flush=True)
sys.stdin.read()
done = True
done_too.set()
print(__import__("json").dumps({name: one.native_id for name, one in threads.items()}))
for one in threads.values(): one.join()
"""


def test_a_function_that_spins_is_what_is_seen(bench: Bench) -> None:
    tids = bench.run_until(SPINNERS, _enough(bench))
    seen = _seen(bench)
    for name, lines in (("spin_left", (5, 6, 7)), ("spin_right", (10, 11, 12))):
        stacks = seen.of(tids[name])
        # Before it is called and behind its end there is little else.
        assert len(stacks) > 50
        mine = [one for one in stacks if one and one[0].function.name == name]
        assert len(mine) >= 0.95 * len(stacks)
        for stack in mine:
            assert stack[0].line in lines
            assert stack[0].function.file == str(bench.folder / "program.py")
            assert [frame.function.name for frame in stack[1:]] == [
                "Thread.run",
                "Thread._bootstrap_inner",
                "Thread._bootstrap",
            ]
    # It waited but for its beginning and its end; for that it was asked once, which is no sample.
    assert len(seen.of(tids["rest"])) < 0.05 * len(seen.stacks) + 5
    newest = LiveStacks(bench.out)
    newest.read_on()
    resting = newest.of(tids["rest"])
    assert resting is not None
    assert (resting.stack[-4].function.name, resting.stack[-4].line) == ("rest", 15)


CALLS = """
import sys, threading
def d(x): return x + 1
def c(x): return d(x) + d(x)
def g(x): return x * 2
def b(x): return g(c(x))
def f(x, p=1, q=2, r=3): return [p, q, r][0] + x
def e(x): return f(x) - f(x + 1)
def gen(n):
    for i in range(n): yield d(i)
def a(x):
    s = b(x) + e(x)
    for v in gen(3): s += v
    return s
def recurse(n): return a(n) if n == 0 else recurse(n - 1)
done = False
def work():
    while not done:
        for i in range(50): a(i)
        recurse(20)
threads = [threading.Thread(target=work) for _ in range(2)]
for one in threads: one.start()
print("working", flush=True)
sys.stdin.read()
done = True
for one in threads: one.join()
"""
EDGES = {
    *("work-a", "work-recurse", "recurse-recurse", "recurse-a", "a-b", "a-e", "a-gen"),
    *("gen-d", "b-c", "b-g", "c-d", "e-f", "Thread.run-work"),
    *("Thread._bootstrap_inner-Thread.run", "Thread._bootstrap-Thread._bootstrap_inner"),
}


def test_stacks_that_change_all_the_time_are_true(bench: Bench) -> None:
    bench.run_until(CALLS, _enough(bench, 1500), sample_hz=2000)
    stacks = [one for one in _seen(bench).stacks if any(f.function.name == "work" for f in one)]
    assert len(stacks) > 500
    false = [
        [frame.function.name for frame in stack]
        for stack in stacks
        if not all(
            f"{caller.function.name}-{called.function.name}" in EDGES
            for called, caller in itertools.pairwise(stack)
        )
        or stack[-1].function.name != "Thread._bootstrap"
    ]
    # Calls of 50 ns each, read from outside: now and then one slips through.
    assert len(false) <= 0.01 * len(stacks), false
    assert {stack[0].function.name for stack in stacks} >= {"a", "b", "c", "d", "e", "f", "gen"}


def test_names_survive_code_that_is_freed(bench: Bench) -> None:
    code = """
        import sys, threading
        done = False
        def churn():
            number = 0
            while not done:
                number = (number + 1) % 1000
                source = "\\n" * number + f"def f_{number}():\\n  for _ in range(2000): pass\\n"
                space = {}
                exec(compile(source, f"<made {number}>", "exec"), space)
                space[f"f_{number}"]()
        thread = threading.Thread(target=churn)
        thread.start()
        print("working", flush=True)
        sys.stdin.read()
        done = True
        thread.join()
    """
    bench.run_until(code, _enough(bench), sample_hz=1000)
    made = [one[0] for one in _seen(bench).stacks if one and "f_" in one[0].function.name]
    assert len({one.function for one in made}) > 20
    for frame in made:
        number = int(frame.function.name.removeprefix("f_"))
        assert frame.function.file == f"<made {number}>"
        assert frame.function.line == number + 1
        assert frame.line in (number + 1, number + 2)


def test_lines_and_names_of_every_kind_are_exact(bench: Bench) -> None:
    code = '''
        import asyncio, sys, threading
        done = False

        class Größe:
            def zählt(self):
                while not done:
                    for _ in range(100):
                        pass
            def mißt(self, 數=1):
                (
                    self
                    .zählt()
                )

        def generate():
            Größe().mißt()
            yield

        async def inner():
            for _ in generate():
                pass

        async def outer():
            """A docstring of more

            lines than one."""
            print("working", flush=True); await inner()

        thread = threading.Thread(target=lambda: asyncio.run(outer()))
        thread.start()
        sys.stdin.read()
        done = True
        thread.join()
    '''
    bench.run_until(code, _enough(bench, 100))
    wanted = [
        ("Größe.mißt", {13}),
        ("generate", {17}),
        ("inner", {21}),
        ("outer", {28}),
    ]
    script = str(bench.folder / "program.py")
    stacks = [one for one in _seen(bench).stacks if one and "zählt" in one[0].function.name]
    assert len(stacks) > 50
    for stack in stacks:
        own = [frame for frame in stack if frame.function.file == script]
        assert own[0].function.name == "Größe.zählt"
        assert own[0].line in (7, 8, 9)
        found = [(frame.function.name, {frame.line}) for frame in own[1:5]]
        assert found == wanted
        assert own[5].function.name == "<lambda>"


def test_native_work_without_the_gil_is_told_apart(bench: Bench) -> None:
    code = """
        import sys, threading, zlib
        done = False
        def press():
            data = bytes(range(256)) * 8192
            while not done: zlib.compress(data, 9)
        thread = threading.Thread(target=press)
        thread.start()
        print("working", flush=True)
        sys.stdin.read()
        done = True
        thread.join()
    """
    bench.run_until(code, _enough(bench, 100), switches="never")
    seen = _seen(bench)
    state = np.array(seen.read.samples.state)
    pressing = [bool(one) and one[0].function.name == "press" for one in seen.stacks]
    found = Counter(state[np.array(pressing)].tolist())
    assert found[State.RUNNING_NOGIL.code] > 0.9 * found.total()


def test_every_process_is_sampled_and_told_apart(bench: Bench) -> None:
    code = """
        import json, multiprocessing, os, sys, time
        def spin_in_fork(stop):
            stop[1] = 1
            while not stop[0]: pass
        def spin_in_spawn(stop):
            stop[2] = 1
            while not stop[0]: pass
        if __name__ == "__main__":
            stop = multiprocessing.get_context("spawn").Array("b", 3, lock=False)
            children = {
                f.__name__: multiprocessing.get_context(method).Process(target=f, args=(stop,))
                for method, f in (("fork", spin_in_fork), ("spawn", spin_in_spawn))
            }
            for one in children.values(): one.start()
            while not (stop[1] and stop[2]): time.sleep(0.001)
            print("working", flush=True)
            sys.stdin.read()
            stop[0] = 1
            for one in children.values(): one.join()
            print(json.dumps({name: one.pid for name, one in children.items()}))
    """
    pids = bench.run_until(code, _enough(bench, 60, images=2))
    seen = _seen(bench)
    for name, pid in pids.items():
        stacks = [one for one in seen.of(pid) if one and one[0].function.name.startswith("spin")]
        assert len(stacks) > 10
        assert {one[0].function.name for one in stacks} == {name}


def test_greenlets_are_seen_where_they_are(bench: Bench) -> None:
    pytest.importorskip("greenlet")
    code = """
        import sys, threading, greenlet
        done = False
        def deep(n, then):
            return then() if n == 0 else deep(n - 1, then)
        def switch_from_deep():
            other.switch()
        def spin_in_other():
            while not done: pass
        def run():
            global other
            other = greenlet.greenlet(spin_in_other)
            deep(30, switch_from_deep)
        thread = threading.Thread(target=run)
        thread.start()
        print("working", flush=True)
        sys.stdin.read()
        done = True
        thread.join()
    """
    bench.run_until(code, _enough(bench, 100))
    stacks = [one for one in _seen(bench).stacks if one and "spin" in one[0].function.name]
    assert len(stacks) > 50
    # The greenlet's own frames only: its thread's others are set aside.
    assert {len(one) for one in stacks} == {1}
