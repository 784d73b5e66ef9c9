"""Record a script under one instrument, as the commands do, and read the recording back."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    prints: str = "",
    options: Mapping[str, Any] | None = None,
) -> Recording:
    """Record a script; it must end well and print nothing but ``prints``.

    ``functions`` are those that line instruments watch; ``options`` go to the instrument.
    """
    (folder / PROGRAM).write_text(program)
    asked = json.dumps([instrument, functions, arguments, options or {}])
    done = subprocess.run(
        [sys.executable, __file__, asked],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (prints, "", 0)
    return api.load(store.find("last", folder / store.RUNS)).recording


def _main(
    instrument: str, functions: list[str], arguments: list[str], extra: Mapping[str, Any]
) -> int:
    """Record in a process of its own: a launcher adopts whatever the target leaves behind."""
    passes = plan.plan_passes(plan.find_instruments((instrument,)), 1)
    argv = (sys.executable, PROGRAM, *arguments)
    target = Target(TargetKind.SCRIPT, PROGRAM, None, argv)
    options = plan.instrument_options(tuple(functions))
    options[instrument] = {**options.get(instrument, {}), **extra}
    folder = api.record(RunPlan(target, passes, argv, options, 60))
    outcome = api.load(folder).outcome
    return outcome.exit_code if outcome.exit_code is not None else 3


if __name__ == "__main__":
    sys.exit(_main(*json.loads(sys.argv[1])))
