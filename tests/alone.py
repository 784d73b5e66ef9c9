"""Run a mode in a process of its own: one that changes its process for good, or runs only once."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable

from concurtrace.launch import plan
from concurtrace.workload import Result, Work

ALONE = ("gevent", "twisted")
"""The modes that need this."""

BEFORE = """
import importlib, sys
module, _, function = sys.argv[2].partition(":")
if module:
    getattr(importlib.import_module(module), function)()
"""
"""Begins a program that is given a mode and what has to come before everything else in it."""

_PROGRAM = f"""
{BEFORE}
import pickle
from concurtrace.launch import plan
from concurtrace.workload import Work

prepare, parameters, services = pickle.load(sys.stdin.buffer)
prepare()
workload = plan.load_workload(sys.argv[3])
try:
    answer = workload.modes[sys.argv[1]].function(Work(parameters, services)).records
except Exception as error:
    answer = error
pickle.dump(answer, sys.stdout.buffer)
"""


def nothing() -> None:
    """Prepare nothing."""


def run_alone(name: str, mode: str, work: Work, prepare: Callable[[], object] = nothing) -> Result:
    """Run a mode of a workload elsewhere, prepared there; return its result, raise its error."""
    before = plan.load_workload(name).modes[mode].before or ""
    done = subprocess.run(
        (sys.executable, "-c", _PROGRAM, mode, before, name),
        input=pickle.dumps((prepare, dict(work.parameters), dict(work.services))),
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    answer = pickle.loads(done.stdout)
    if isinstance(answer, Exception):
        raise answer
    return Result(answer)
