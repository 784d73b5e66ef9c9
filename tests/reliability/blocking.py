"""Run random programs whose coroutines block, and clean ones, and say what was found of them.

``python -m tests.reliability.blocking [COUNT] [SEED]``: COUNT programs of each kind, 100 by
default. Ends with 1 if a blocking call of at least 20 ms was not found with its line, or something
was reported that did not block.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.blocking_programs import blocking_program
from tests.cli import concurtrace, last_report, loops_of

BAD, CLEAN = 5, 10
_HELPERS = ("pipe_after", "lock_after", "told_after")


def asleep(report: dict[str, Any]) -> list[dict[str, Any]]:
    """List the steps that were reported to have slept."""
    steps = [step for loop in loops_of(report) for step in loop["blocked"]]
    return [step for step in steps if step["state"] is not None]


def wrong(report: dict[str, Any], expected: dict[str, int]) -> list[str]:
    """Say what is wrong with a report: blocking calls that are missing, misplaced or invented."""
    told = {step["coroutine"]: step["where"] for step in asleep(report)}
    found = [f"{name} was not found" for name in expected if name not in told]
    for name, where in told.items():
        match = re.fullmatch(r".*program\.py:(\d+) in (\w+)", where)
        if name not in expected:
            found.append(f"{name} was reported at {where}")
        elif match is None or (match[2] not in _HELPERS and int(match[1]) != expected[name]):
            found.append(f"{name} was told at {where}, not line {expected[name]}")
    rules = [one["rule"] for one in report["findings"] if one["severity"] == "warning"]
    if not expected and "blocking-call-in-coroutine" in rules:
        found.append("a clean program was warned of")
    return found


def run(seed: int, bad: int) -> list[str]:
    """Run one program; say what went wrong."""
    program, expected = blocking_program(seed, bad, CLEAN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program.py").write_text(program)
        done = concurtrace(folder, "run", "--quiet", "--with", "states,tasks", "program.py")
        if done.returncode:
            return [done.stderr]
        return wrong(last_report(folder), expected)


def main() -> int:
    """Run what was asked for, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    given = parser.parse_args()
    failed = 0
    for bad in (BAD, 0):
        for seed in range(given.seed, given.seed + given.count):
            said = run(seed, bad)
            failed += bool(said)
            for text in said:
                print(f"seed {seed}, {bad} blocking: {text}", flush=True)
        what = f"{given.count} programs with {bad} blocking and {CLEAN} clean coroutines each"
        print(f"{what}: {failed} wrong so far", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
