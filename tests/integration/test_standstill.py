"""A target that will never go on is stopped, and the report says who waited for whom."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli import concurtrace, last_report

PROGRAMS = {
    "two locks in two orders": """
import threading
a, b, met = threading.Lock(), threading.Lock(), threading.Barrier(2)
def take(first, second):
    with first:
        met.wait()
        with second:
            pass
threads = [threading.Thread(target=take, args=order, name=name)
           for order, name in (((a, b), "left"), ((b, a), "right"))]
[one.start() for one in threads]
[one.join() for one in threads]
""",
    "a lock taken twice": """
import threading
lock = threading.Lock()
with lock:
    with lock:
        pass
""",
    "a queue that nobody fills": """
import queue, threading
empty = queue.Queue()
worker = threading.Thread(target=empty.get, name="hungry")
worker.start()
worker.join()
""",
    "a child joined before its queue is drained": """
import multiprocessing
def fill(queue):
    queue.put(b"x" * 1_000_000)
if __name__ == "__main__":
    queue = multiprocessing.Queue()
    child = multiprocessing.Process(target=fill, args=(queue,))
    child.start()
    child.join()
""",
}


GOES_ON = {
    # Each looks stuck for longer than the guard's patience.
    "a signal": """
import signal, threading
signal.signal(signal.SIGALRM, lambda *_: go.set())
go = threading.Event()
signal.alarm(6)
go.wait()
""",
    "a time limit": """
import threading
threading.Event().wait(6)
""",
    "another program": """
import subprocess
subprocess.run(["sleep", "6"])
""",
    "a holder that sleeps": """
import threading, time
lock = threading.Lock()
def hold():
    with lock:
        time.sleep(6)
one = threading.Thread(target=hold)
one.start()
with lock:
    pass
one.join()
""",
}


@dataclass(frozen=True)
class Run:
    exit_code: int
    said: str
    report: dict[str, Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Run all programs at once: they do nothing but wait."""

    def run(named: tuple[str, str]) -> Run:
        folder = tmp_path_factory.mktemp("standstill")
        (folder / "program.py").write_text(named[1])
        done = concurtrace(folder, "run", "--time-limit", "60", "program.py")
        return Run(done.returncode, done.stdout + done.stderr, last_report(folder))

    programs = {**PROGRAMS, **GOES_ON}
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(programs, pool.map(run, programs.items()), strict=True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_standstill_ends_with_exit_3(runs: dict[str, Run], name: str) -> None:
    run = runs[name]
    assert run.report["result"]["standstill"], run.said
    assert run.report["result"]["timed_out"] is False
    assert run.exit_code == 3
    assert "came to a standstill" in run.said


def test_a_circle_names_its_threads_and_the_finding_its_lines(runs: dict[str, Run]) -> None:
    report = runs["two locks in two orders"].report
    told = report["result"]["standstill"]
    assert "waits for a lock of left" in told
    assert "waits for a lock of right" in told
    first = report["findings"][0]
    assert (first["rule"], first["severity"]) == ("deadlock", "warning")
    assert any("program.py:7" in place for place in first["where"])


@pytest.mark.parametrize("name", GOES_ON)
def test_a_wait_that_somebody_will_end_is_no_standstill(runs: dict[str, Run], name: str) -> None:
    assert runs[name].exit_code == 0, runs[name].said
    assert runs[name].report["result"]["standstill"] is None
