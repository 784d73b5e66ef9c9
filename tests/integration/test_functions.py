"""The functions instrument: calls are exact in every thread and process, whatever ends them."""

from collections import Counter
from pathlib import Path

import pytest

from concurtrace import api
from concurtrace.model.recording import FunctionProfile, FunctionStats, FunctionTable
from tests.recorder import record_script

START_METHODS = ("fork", "spawn", "forkserver")
ROUNDING_NS = 2


def record(folder: Path, program: str, *arguments: str) -> FunctionProfile:
    """Profile a script and return what the instrument recorded."""
    profile = record_script(folder, program, *arguments, instrument="functions").functions
    assert profile is not None
    return profile


def rows(table: FunctionTable) -> dict[str, FunctionStats]:
    """Index a table by name; the program's functions all have different ones."""
    return {row.function.name: row for row in table.stats}


def calls(profile: FunctionProfile, name: str) -> dict[str, int]:
    """Count the calls of a function by process and thread."""
    return {
        f"{table.process.name}/{table.thread}": row.calls
        for table in profile.tables
        for row in table.stats
        if row.function.name == name
    }


def started(profile: FunctionProfile, name: str) -> Counter[str]:
    """Count the calls of a function by how its process was started."""
    found: Counter[str] = Counter()
    for table in profile.tables:
        for row in table.stats:
            if row.function.name == name:
                found[table.process.started_by] += row.calls
    return found


@pytest.mark.parametrize("method", START_METHODS)
def test_calls_in_child_processes_are_exact(tmp_path: Path, method: str) -> None:
    profile = record(
        tmp_path,
        """
import gc, multiprocessing, sys
def work(number):
    return number * number
def child(count):
    gc.collect()  # what a forked child inherited must go without a trace
    for number in range(count):
        work(number)
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=child, args=(7 + i,), name=f"child-{i}") for i in range(3)]
    for one in children:
        one.start()
    for one in children:
        one.join()
""",
        method,
    )
    assert calls(profile, "work") == {f"child-{i}/MainThread": 7 + i for i in range(3)}
    assert started(profile, "work") == {method: 24}
    assert profile.losses == ()


@pytest.mark.parametrize("method", START_METHODS)
def test_a_pool_that_is_terminated_loses_nothing(tmp_path: Path, method: str) -> None:
    profile = record(
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
    assert started(profile, "work") == {method: 40}
    assert profile.losses == ()


@pytest.mark.parametrize("method", START_METHODS)
def test_process_pool_executors_are_covered(tmp_path: Path, method: str) -> None:
    profile = record(
        tmp_path,
        """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
def work(number):
    return number + 1
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert sum(pool.map(work, range(40), chunksize=5)) == 820
""",
        method,
    )
    assert started(profile, "work") == {method: 40}
    assert profile.losses == ()


def test_each_thread_has_its_own_exact_table(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
import _thread, threading
def leaf():
    pass
def calls(count):
    for _ in range(count):
        leaf()
class Own(threading.Thread):
    def run(self):
        calls(30)
threads = [threading.Thread(target=calls, args=(20_000,), name=f"t{i}") for i in range(2)]
threads.append(Own(name="own"))
for one in threads:
    one.start()
for one in threads:
    one.join()
calls(4)
done = _thread.allocate_lock()
done.acquire()
def raw():
    calls(50)
    done.release()
_thread.start_new_thread(raw, ())
done.acquire()
""",
    )
    found = calls(profile, "leaf")
    bare = [found.pop(name) for name in list(found) if "/thread " in name]
    assert found == {
        "program.py/t0": 20_000,
        "program.py/t1": 20_000,
        "program.py/own": 30,
        "program.py/MainThread": 4,
    }
    assert bare == [50]
    for table in profile.tables:
        by_name = rows(table)
        if table.thread in ("t0", "t1"):
            assert by_name["calls"].calls == by_name["Thread.run"].calls == 1
            # Two threads that run at once; yet all time of the caller is its own or the callee's.
            both = by_name["calls"].own_ns + by_name["leaf"].total_ns
            assert abs(by_name["calls"].total_ns - both) <= ROUNDING_NS
        assert all(0 <= row.own_ns <= row.total_ns for row in table.stats)


def test_callers_recursion_exceptions_and_builtins(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
def factorial(number):
    return 1 if number < 2 else number * factorial(number - 1)
def fails(depth):
    if depth == 0:
        raise LookupError
    fails(depth - 1)
def catches():
    try:
        fails(4)
    except LookupError:
        return len("abc")
def generate():
    try:
        yield 1
        yield 2
    except ValueError:
        yield 3
def throws():
    generator = generate()
    next(generator)
    generator.throw(ValueError)
    generator.close()
class Thing:
    def method(self): pass
    @staticmethod
    def static(): pass
    @classmethod
    def of_class(cls): pass
for _ in range(3):
    factorial(10)
    catches()
throws()
Thing().method(); Thing.static(); Thing.of_class()
[(lambda: None)() for _ in range(6)]
""",
    )
    (table,) = profile.tables
    by_name = rows(table)
    assert (by_name["factorial"].calls, by_name["factorial"].primitive_calls) == (30, 3)
    assert (by_name["fails"].calls, by_name["fails"].primitive_calls) == (15, 3)
    assert by_name["catches"].calls == 3
    assert by_name["throws"].calls == 1
    assert by_name["generate"].calls == 3  # begun, resumed by throw, resumed by close
    assert [by_name[f"Thing.{name}"].calls for name in ("method", "static", "of_class")] == [1] * 3
    assert by_name["<built-in method builtins.len>"].function.file == "~"
    edges = {
        (table.stats[one.caller].function.name, table.stats[one.callee].function.name): one.calls
        for one in table.edges
    }
    assert edges["factorial", "factorial"] == 27
    assert edges["<module>", "factorial"] == 3
    assert edges["catches", "fails"] == 3
    assert edges["catches", "<built-in method builtins.len>"] == 3
    assert sum(count for name, count in counted(table).items() if "<lambda>" in name) == 6
    assert any("resumption" in note for note in profile.notes)


def counted(table: FunctionTable) -> Counter[str]:
    """Count calls by name, where several functions share one."""
    found: Counter[str] = Counter()
    for row in table.stats:
        found[row.function.name] += row.calls
    return found


def test_signal_handlers_and_finalizers_are_seen(tmp_path: Path) -> None:
    # Both run wherever the interpreter finds the time: also while an event is being reported.
    profile = record(
        tmp_path,
        """
import gc, signal
handled = 0
def handler(*_):
    global handled
    handled += 1
class Cycle:
    def __init__(self):
        self.me = self
    def __del__(self):
        finalized()
def finalized(): pass
def busy(): pass
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
made = 0
while handled < 100:
    Cycle()
    made += 1
    for _ in range(50):
        busy()
        len("")
signal.setitimer(signal.ITIMER_REAL, 0)
gc.collect()
open("counts", "w").write(f"{handled} {made}")
""",
    )
    handled, made = map(int, (tmp_path / "counts").read_text().split())
    (table,) = profile.tables
    by_name = rows(table)
    assert by_name["handler"].calls == handled
    assert by_name["Cycle.__del__"].calls == by_name["finalized"].calls == made
    assert by_name["busy"].calls == 50 * made


def test_threads_that_still_run_at_the_end_are_included(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
import threading
ready = threading.Event()
def step(): pass
def forever():
    for _ in range(9):
        step()
    ready.set()
    threading.Event().wait()
threading.Thread(target=forever, daemon=True, name="daemon").start()
ready.wait()
""",
    )
    (table,) = [one for one in profile.tables if one.thread == "daemon"]
    assert rows(table)["step"].calls == 9
    assert rows(table)["forever"].calls == 1
    assert rows(table)["Event.wait"].calls == 1
    assert profile.losses == ()


def test_forks_from_threads_and_exits_without_cleaning_up(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
import os, threading, warnings
warnings.simplefilter("ignore")  # of forks beside threads
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
thread = threading.Thread(target=fork, name="forker")
thread.start()
thread.join()
os._exit(0)
""",
    )
    assert started(profile, "before") == {"main": 1}
    assert started(profile, "inside") == {"fork": 2}
    assert started(profile, "after") == {"main": 1}
    (child,) = [one for one in profile.tables if one.process.started_by == "fork"]
    assert child.tid == child.process.pid
    assert profile.losses == ()


def test_a_killed_worker_is_a_loss_and_harms_nobody_else(tmp_path: Path) -> None:
    profile = record(
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
    assert calls(profile, "work") == {"program.py/MainThread": 1, "spared/MainThread": 1}
    (loss,) = profile.losses
    assert "killed" in loss.what
    assert "killed" in loss.reason


def test_nothing_of_ours_is_among_the_functions(tmp_path: Path) -> None:
    profile = record(
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
    functions = [row.function for table in profile.tables for row in table.stats]
    assert not [one for one in functions if one.file.startswith(ours)]
    assert not [one for one in functions if "json" in one.file or "lsprof" in one.name]
    assert not [one for one in functions if "monitoring" in one.name or "setprofile" in one.name]


def test_the_program_may_profile_itself(tmp_path: Path) -> None:
    profile = record(
        tmp_path,
        """
import cProfile, threading
def work(): pass
def profiled():
    own = cProfile.Profile()
    own.enable()
    work()
    own.disable()
    assert {e.code: e.callcount for e in own.getstats()}[work.__code__] == 1
thread = threading.Thread(target=profiled, name="profiled")
thread.start()
thread.join()
work()
""",
    )
    found = calls(profile, "work")
    assert found["program.py/MainThread"] == 1
    # Where only one profiler fits into a thread, the program's own is left alone.
    lost = [one for one in profile.losses if "profiler of its own" in one.reason]
    assert len(lost) == (0 if found.get("program.py/profiled") == 1 else 1)
