"""The cores instrument: the target's CPU time adds up, threads and switches are counted."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from concurtrace import api
from concurtrace.errors import RunDataError
from concurtrace.instruments._cores_reading import target_times
from concurtrace.instruments._sampling import SUFFIX, SampledProcess, Samples, read_samples
from concurtrace.instruments.cores import INSTRUMENT
from concurtrace.model.recording import CoreUsage, ProcessActivity
from concurtrace.model.report import Report
from concurtrace.rundir import store
from tests.recorder import PROGRAM, record_script

MS = 1_000_000
START_METHODS = ("fork", "spawn", "forkserver")


def record(folder: Path, program: str, *arguments: str) -> CoreUsage:
    cores = record_script(folder, program, *arguments, instrument="cores").cores
    assert cores is not None
    return cores


def report(folder: Path) -> Report:
    return api.load(store.find("last", folder / store.RUNS))


def activities(cores: CoreUsage) -> dict[str, ProcessActivity]:
    return {one.process.name: one for one in cores.processes}


def target_ns(cores: CoreUsage, first_ns: int) -> float:
    """Add up the CPU time in all intervals; the first begins at ``first_ns``."""
    starts = (first_ns, *cores.times_ns)
    return sum(
        share * (end - start)
        for share, start, end in zip(cores.target_cores, starts, cores.times_ns, strict=False)
    )


def first_sample_ns(folder: Path) -> int:
    (path,) = (store.find("last", folder / store.RUNS) / "raw" / "light" / "cores").glob(
        f"*{SUFFIX}"
    )
    return int(read_samples(path).lines[0]["at_ns"])


BURN = """
import multiprocessing, os, sys, time
def burn(seconds):
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass
"""


def test_a_busy_loop_has_the_cpu_time_that_the_kernel_counted(tmp_path: Path) -> None:
    cores = record(tmp_path, BURN + "burn(0.5)\n")
    (light,) = report(tmp_path).passes
    kernel_ns = light.executions[0].cpu_ns
    found_ns = target_ns(cores, first_sample_ns(tmp_path))
    # What it used before the first sample is missing, nothing else may be.
    assert 0.5 * kernel_ns < found_ns <= 1.001 * kernel_ns
    assert kernel_ns >= 500 * MS


@pytest.mark.parametrize("method", START_METHODS)
def test_children_count_however_they_are_started(tmp_path: Path, method: str) -> None:
    cores = record(
        tmp_path,
        BURN
        + """
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=burn, args=(0.3,), name=f"c{i}") for i in range(2)]
    for one in children:
        one.start()
    for one in children:
        one.join()
""",
        method,
    )
    assert target_ns(cores, first_sample_ns(tmp_path)) >= 0.55e9
    found = activities(cores)
    assert {found[name].process.started_by for name in ("c0", "c1")} == {method}


def test_children_too_short_for_a_sample_count(tmp_path: Path) -> None:
    cores = record(
        tmp_path,
        BURN
        + """
for _ in range(60):
    if os.fork() == 0:
        burn(0.01)
        os._exit(0)
    os.wait()
""",
    )
    assert target_ns(cores, first_sample_ns(tmp_path)) >= 0.55e9


def test_cpu_time_of_processes_that_come_and_go_adds_up() -> None:
    """Parent 1 with child 2 (seen, then gone), child 3 (never seen) and grandchild 4 (of 2)."""
    parents = {0: 0, 1: 1, 2: 2}
    processes = {
        number: SampledProcess(number + 1, 0, parent, "python", "")
        for number, parent in parents.items()
    }
    pids = [[0, 10 * MS, 0, 1]], [[0, 20 * MS, 0, 1], [1, 30 * MS, 0, 1], [2, 5 * MS, 0, 1]]
    reaped = (
        # Child 2 waited for its child after that had used 7 ms.
        [[0, 20 * MS, 0, 1], [1, 40 * MS, 7 * MS, 1]],
        # The parent waited for child 2 (50 ms in all, 7 of its child) and for child 3 (60 ms).
        [[0, 25 * MS, 117 * MS, 1]],
        [[0, 26 * MS, 117 * MS, 1]],
    )
    lines = tuple(
        {"at_ns": at, "cores": [[0.0, 0.0]], "processes": rows}
        for at, rows in enumerate((*pids, *reaped))
    )
    found = target_times(Samples(20 * MS, processes, lines, None))
    assert [one // MS for one in found] == [10, 55, 67, 142, 143]


def test_threads_are_counted_over_time(tmp_path: Path) -> None:
    out = tmp_path / "pass" / "cores"
    out.mkdir(parents=True)
    script = """
import sys, threading
leave = threading.Event()
threads = [threading.Thread(target=leave.wait) for _ in range(4)]
for one in threads:
    one.start()
sys.stdin.read()
leave.set()
"""
    target = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    with INSTRUMENT.beside(target.pid, out, {}):
        path = out / f"{target.pid}{SUFFIX}"
        while max(row[3] for line in read_samples(path).lines for row in line["processes"]) < 5:
            assert target.poll() is None
            time.sleep(0.01)
        assert target.stdin is not None
        target.stdin.close()
        target.wait()
    cores = INSTRUMENT.read(out, {}).cores
    assert cores is not None
    (process,) = cores.processes
    assert max(process.threads) == 5
    assert len(process.threads) == len(process.times_ns)
    # It is no process that an agent ran in, and that is said.
    assert any("last sample" in note for note in cores.notes)


def test_context_switches_of_ended_threads_count(tmp_path: Path) -> None:
    cores = record(
        tmp_path,
        """
import resource, threading, time
from pathlib import Path
def nap():
    for _ in range(50):
        time.sleep(0.0001)
threads = [threading.Thread(target=nap) for _ in range(3)]
for one in threads:
    one.start()
for one in threads:
    one.join()
Path("counted").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw))
""",
    )
    (process,) = cores.processes
    assert process.process.name == PROGRAM
    counted = int((tmp_path / "counted").read_text())
    assert process.voluntary_switches >= counted >= 150
    assert cores.notes == ()


def test_a_killed_child_keeps_what_was_sampled_and_is_told(tmp_path: Path) -> None:
    cores = record(
        tmp_path,
        BURN
        + """
import signal
def killed():
    burn(0.2)
    os.kill(os.getpid(), signal.SIGKILL)
child = multiprocessing.get_context("fork").Process(target=killed, name="killed")
child.start()
child.join()
""",
    )
    assert "killed" in activities(cores)
    assert any("killed" in note for note in cores.notes)
    assert target_ns(cores, first_sample_ns(tmp_path)) >= 0.18e9


def test_shares_are_shares_and_times_go_up(tmp_path: Path) -> None:
    cores = record(tmp_path, BURN + "burn(0.3)\n")
    environment = report(tmp_path).environment
    assert len(cores.busy) == environment.machine.cores
    assert all(len(row) == len(cores.times_ns) for row in (*cores.busy, cores.target_cores))
    assert all(0 <= share <= 1 for row in cores.busy for share in row)
    assert list(cores.times_ns) == sorted(set(cores.times_ns))
    assert all(share >= 0 for share in cores.target_cores)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    record(tmp_path, "pass\n")
    run = store.find("last", tmp_path / store.RUNS)
    out = run / "raw" / "light" / "cores"
    (path,) = out.glob(f"*{SUFFIX}")
    whole = path.read_text()
    path.write_text(whole.replace('"cores"', '"c"'))
    with pytest.raises(RunDataError, match=path.name):
        api.load(run)
    path.write_text("")
    with pytest.raises(RunDataError, match=path.name):
        api.load(run)
    path.write_text(whole)
    assert api.load(run).recording.cores is not None
