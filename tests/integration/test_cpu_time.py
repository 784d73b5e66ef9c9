"""CPU time is that of all processes of the target, however they were started."""

import json
from pathlib import Path

import pytest

from tests.cli import concurtrace
from tests.plugin_site import install_workload

SOURCE = '''
"""Compute in one process, and say how much CPU time that took."""
import multiprocessing, time
from concurtrace.workload import START_METHOD, Parameter, Result, Work, Workload
WORKLOAD = Workload(parameters=(Parameter("size", 1, "items", 1, 9), START_METHOD))

@WORKLOAD.reference
def reference(work):
    return Result([(1,)])

def compute(results):
    while time.process_time() < 0.5:
        pass
    results.put(time.process_time_ns())

@WORKLOAD.mode()
def processes(work):
    results = multiprocessing.SimpleQueue()
    child = multiprocessing.Process(target=compute, args=(results,))
    child.start()
    used = results.get()
    child.join()
    return Result([(1,)], {"used": used})
'''


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_childs_cpu_time_counts(tmp_path: Path, method: str) -> None:
    extra = install_workload(tmp_path / "site", "spin", SOURCE)
    done = concurtrace(
        tmp_path,
        *("profile", "spin", "--with", "baseline", "--repeat", "1", "--start-method", method),
        extra=extra,
    )
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / ".concurtrace" / "runs").iterdir()
    execution = json.loads((run / "run.json").read_text())["passes"][0]["executions"][0]
    assert execution["cpu_ns"] >= execution["observed"]["used"]
