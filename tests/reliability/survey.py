"""Run every workload in every mode for real, and hold it to what it promises.

``python -m tests.reliability.survey [--with …] [--preset …] [--modes …] [WORKLOAD…]``, run by
``nox -s survey``. One line per run: the result, the largest share of UNKNOWN in a thread that lived
over 100 ms, losses, and whether the diagnosis is what the workload expects: each expected rule
among the first two findings, and no warning where none is expected. Ends with a count of what
failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.launch.plan import load_workload
from concurtrace.workload import Workload
from tests.rule_corpus.run import FIRST, OF_THE_MACHINE, stories

LONG_LIFE_NS = 100_000_000
MOST_UNKNOWN = 0.02
# About the recording or the machine, not about the program.
_NOT_THE_PROGRAMS = {*OF_THE_MACHINE, "unknown-time", "short-run"}


@dataclass(frozen=True)
class Row:
    """What one run showed; ``complaints`` are in words, none where all is as promised."""

    name: str
    unknown: float
    warnings: tuple[str, ...]
    complaints: tuple[str, ...]

    def text(self) -> str:
        """Lay it out as a row of a Markdown table."""
        said = ", ".join(self.warnings) or "none"
        return (
            f"| {self.name} | {self.unknown:.1%} | {said} | {'; '.join(self.complaints) or 'ok'} |"
        )


def _modes(workload: Workload, wanted: set[str]) -> Iterator[str]:
    for name, mode in workload.modes.items():
        if (not wanted or name in wanted) and all(find_spec(one) for one in mode.imports):
            yield name


def _promised(workload: Workload, mode: str) -> tuple[str, ...]:
    """Return what it expects of a mode in the variant that runs when none is named."""
    able = [one.name for one in workload.variants if not one.modes or mode in one.modes]
    variant = f"{mode}/{able[0]}" if able else mode
    return workload.expects.get(variant, workload.expects.get(mode, ()))


def _unknown(report: dict[str, Any]) -> float:
    shares = [
        thread["states"]["UNKNOWN"] / (thread["end_ns"] - thread["start_ns"])
        for process in report["processes"]
        for thread in process["threads"]
        if thread.get("states") and thread["end_ns"] - thread["start_ns"] >= LONG_LIFE_NS
    ]
    return max(shares, default=0.0)


def _complaints(report: dict[str, Any], expected: tuple[str, ...]) -> Iterator[str]:
    if not report["result"]["verified"]:
        yield f"wrong result: {report['result']['error']}"
    for one in report["passes"]:
        if one["status"] != "ok":
            yield f"{one['name']} {one['status']}: {one['reason']}"
    if report["states"] is None:
        return
    unknown = _unknown(report)
    if unknown >= MOST_UNKNOWN:
        yield f"UNKNOWN {unknown:.1%}"
    told = [one for one in stories(report["findings"]) if not one & _NOT_THE_PROGRAMS]
    first = set().union(*told[:FIRST])
    for rule in expected:
        if rule not in first:
            yield f"{rule} is not among {', '.join(sorted(first)) or 'nothing'}"
    if not expected:
        for rule in _warnings(report):
            if rule not in _NOT_THE_PROGRAMS:
                yield f"unexpected {rule}"


def _warnings(report: dict[str, Any]) -> tuple[str, ...]:
    return tuple(one["rule"] for one in report["findings"] if one["severity"] == "warning")


def survey(name: str, mode: str, arguments: list[str], expected: tuple[str, ...]) -> Row:
    """Profile one mode of one workload, and judge its report."""
    told = f"{name} {mode}"
    with tempfile.TemporaryDirectory() as folder:
        base = [sys.executable, "-m", "concurtrace"]
        command = [*base, "profile", name, "--mode", mode, "--quiet", "--repeat", "1", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if not list(Path(folder).glob(".concurtrace/runs/*/run.json")):
            said = done.stderr.strip().splitlines()
            return Row(told, 0.0, (), (said[-1] if said else "it left no run",))
        shown = subprocess.run(
            [*base, "show", "last", "--format", "json"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    report = json.loads(shown.stdout)
    complaints = list(_complaints(report, expected))
    if done.returncode:
        complaints.append(f"exit code {done.returncode}")
    return Row(told, _unknown(report), _warnings(report), tuple(complaints))


def main() -> int:
    """Survey; return how many runs were not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--with", dest="instruments", default="baseline,functions,states,tasks,cores"
    )
    parser.add_argument("--preset", default="default")
    parser.add_argument("--modes", default="")
    parser.add_argument("workloads", nargs="*")
    given = parser.parse_args()
    arguments = ["--with", given.instruments, "--preset", given.preset]
    print("| run | UNKNOWN | warnings | as promised |\n|---|---|---|---|", flush=True)
    failed = 0
    for name in given.workloads or discovery.modules(Kind.WORKLOAD):
        workload = load_workload(name)
        for mode in _modes(workload, set(filter(None, given.modes.split(",")))):
            row = survey(name, mode, arguments, _promised(workload, mode))
            failed += bool(row.complaints)
            print(row.text(), flush=True)
    print(f"\n{failed} runs were not as promised.")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
