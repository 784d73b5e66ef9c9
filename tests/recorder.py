"""Record a program under one instrument, as the commands do, and read the recording back."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from concurtrace import api
from concurtrace.launch import plan
from concurtrace.launch.plan import RunPlan
from concurtrace.model.recording import Recording
from concurtrace.model.run import Target, TargetKind
from concurtrace.rundir import store

PROGRAM = "program.py"


def record_script(
    folder: Path,
    program: str,
    *arguments: str,
    instrument: str,
    functions: tuple[str, ...] = (),
    options: Mapping[str, int] | None = None,
) -> Recording:
    """Record a script, which must end well and print nothing.

    ``functions`` are those that line instruments watch; ``options`` go to the instrument.
    """
    (folder / PROGRAM).write_text(program)
    return _record(folder, instrument, functions, [PROGRAM, *arguments], {}, options)


def record_workload(
    folder: Path,
    name: str,
    *,
    instrument: str,
    extra: Mapping[str, str],
) -> Recording:
    """Record the default mode of a workload; ``extra`` is the environment that has it."""
    return _record(folder, instrument, (), [name], extra)


def _record(
    folder: Path,
    instrument: str,
    functions: tuple[str, ...],
    what: list[str],
    extra: Mapping[str, str],
    options: Mapping[str, int] | None = None,
) -> Recording:
    # In a process of its own: a launcher adopts whatever the target leaves behind.
    done = subprocess.run(
        [sys.executable, __file__, json.dumps([instrument, functions, what, options or {}])],
        cwd=folder,
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    return api.load(store.find("last", folder / store.RUNS)).recording


def _main(instrument: str, functions: list[str], what: list[str], own: Mapping[str, int]) -> int:
    passes = plan.plan_passes(plan.find_instruments((instrument,)), 1)
    if what[0] == PROGRAM:
        argv = (sys.executable, *what)
        target = Target(TargetKind.SCRIPT, PROGRAM, None, argv)
    else:
        argv, target = None, plan.workload_target(what[0], None, "default", {})
    options = plan.instrument_options(tuple(functions))
    options[instrument] = {**options.get(instrument, {}), **own}
    folder = api.record(RunPlan(target, passes, argv, options, 60))
    outcome = api.load(folder).outcome
    return outcome.exit_code if outcome.exit_code is not None else 3


if __name__ == "__main__":
    sys.exit(_main(*json.loads(sys.argv[1])))
