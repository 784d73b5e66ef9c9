"""Put predictions to the test: each against a measured run of the changed program.

``python -m benchmarks.predictions [--rounds N] [--only KIND]``. Programs and their changed twins
take turns; the program is recorded once. Prints a row per prediction and, for each kind, the median
and the worst absolute error; exits 1 if one is above its goal. It needs a quiet machine. Run by
``nox -s predictions``; the page goes to ``results/predictions.md``, unless only a part was tested.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concurtrace.analysis.scaling import fitted_law
from concurtrace.analysis.speed import speed
from concurtrace.model.comparison import Speed

HERE = Path(__file__).parent
PROGRAM = HERE / "programs" / "what_if.py"
RESULTS = HERE / "results" / "predictions.md"
MEDIAN, WORST = 0.10, 0.25
PROCESSES, LOCK, WORKERS = "threads to processes", "without a lock", "number of workers"
WITH_GOALS = (PROCESSES, LOCK, WORKERS)
START, MESSAGES, LOOP = "start method", "larger messages", "threads and event loops"
IN_PROCESSES = ("even", "uneven", "mixed", "native", "brief", "serial")
WITHOUT_LOCK = ("lock-sleep", "lock-digest", "lock-little", "lock-python")
SWEPT = ("workers-compute", "workers-wait", "workers-guarded")
STARTED = (("spawn", "fork"), ("spawn", "forkserver"), ("fork", "spawn"))
FITTED, FORETOLD = (1, 2, 4), (3, 6)
BUNDLED = (
    ("factorize", "threads,processes"),
    ("crawler", "threads,processes,async"),
    ("hotspot", "threads,processes"),
)


@dataclass(frozen=True)
class Pair:
    """A program, two variants of it, and how the change between them is called at its start."""

    name: str
    before: str
    after: str
    what_if: tuple[str, ...]


@dataclass(frozen=True)
class Tested:
    """One prediction beside its measurement; None where nothing was foretold."""

    kind: str
    what: str
    predicted: float | None
    measured: Speed
    model_error: float | None = None

    @property
    def error(self) -> float | None:
        """Predicted by measured, less one."""
        return None if self.predicted is None else self.predicted / self.measured.factor - 1


def took_ns(name: str, variant: str) -> int:
    """Run a variant by itself."""
    begin = time.perf_counter_ns()
    subprocess.run([sys.executable, PROGRAM, name, variant], check=True)
    return time.perf_counter_ns() - begin


def in_turns(name: str, variants: Sequence[str], rounds: int) -> dict[str, list[int]]:
    """Run all variants in every round, in another order each."""
    found: dict[str, list[int]] = {one: [] for one in variants}
    for number in range(rounds):
        first = number % len(variants)
        for one in (*variants[first:], *variants[:first]):
            found[one].append(took_ns(name, one))
    return found


def concurtrace(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a command, and return what it recorded as JSON."""
    tool = [sys.executable, "-m", "concurtrace"]
    subprocess.run([*tool, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE)
    shown = subprocess.run(
        [*tool, "show", "last", "--format", "json"],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def predictions_of(folder: Path, name: str, variant: str) -> list[dict[str, Any]]:
    """Record a variant and return every prediction about it, those of findings too."""
    given = ("run", "--quiet", "--with", "states", str(PROGRAM), name, variant)
    found = concurtrace(folder, *given)
    of_findings = [one["prediction"] for one in found["findings"] if one["prediction"]]
    return [*found["predictions"], *of_findings]


def tested_pairs(kind: str, pairs: Sequence[Pair], rounds: int, folder: Path) -> list[Tested]:
    """Test what is foretold of changing one variant into another."""
    tested = []
    for pair in pairs:
        every = predictions_of(folder, pair.name, pair.before)
        found = next((one for one in every if one["what_if"].startswith(pair.what_if)), {})
        walls = in_turns(pair.name, (pair.before, pair.after), rounds)
        what = f"{pair.name}: {pair.before} to {pair.after}"
        measured = speed(walls[pair.after], walls[pair.before])
        one = Tested(kind, what, found.get("speedup"), measured, found.get("model_error"))
        print(row(one), flush=True)
        tested.append(one)
    return tested


def in_processes(rounds: int, folder: Path) -> list[Tested]:
    """Threads against processes."""
    pairs = [Pair(name, "threads", "processes", ("processes",)) for name in IN_PROCESSES]
    return tested_pairs(PROCESSES, pairs, rounds, folder)


def without_lock(rounds: int, folder: Path) -> list[Tested]:
    """A lock against none."""
    what_if = ("without ", "no wait while holding ")
    pairs = [Pair(name, "lock", "free", what_if) for name in WITHOUT_LOCK]
    return tested_pairs(LOCK, pairs, rounds, folder)


def start_methods(rounds: int, folder: Path) -> list[Tested]:
    """Processes that are started in one way against another."""
    pairs = [Pair("starts", before, after, (after,)) for before, after in STARTED]
    return tested_pairs(START, pairs, rounds, folder)


def messages(rounds: int, folder: Path) -> list[Tested]:
    """Many small messages against fewer, each with ten times as much."""
    pair = Pair("pieces", "1", "10", ("10 times as much",))
    return tested_pairs(MESSAGES, [pair], rounds, folder)


def loops(rounds: int, folder: Path) -> list[Tested]:
    """Threads that wait against tasks of one loop, and back."""
    ways = (("threads", "async"), ("async", "threads"))
    pairs = [Pair("crowd", before, after, (after,)) for before, after in ways]
    return tested_pairs(LOOP, pairs, rounds, folder)


def workers(rounds: int, _folder: Path) -> list[Tested]:
    """A law fitted to some numbers of workers against runs with others."""
    tested = []
    for name in SWEPT:
        walls = in_turns(name, [str(many) for many in (*FITTED, *FORETOLD)], rounds)
        factors = {many: speed(walls[str(many)], walls["1"]) for many in (*FITTED, *FORETOLD)}
        law = fitted_law({many: factors[many].factor for many in FITTED}, cores())
        for many in FORETOLD:
            what = f"{name}: {many} from {', '.join(map(str, FITTED))}"
            tested.append(Tested(WORKERS, what, law(many), factors[many]))
            print(row(tested[-1]), flush=True)
    return tested


def bundled(rounds: int, folder: Path) -> list[Tested]:
    """Bundled workloads, as their comparison says itself."""
    tested = []
    for workload, modes in BUNDLED:
        given = ("compare", workload, "--modes", modes, "--repeat", str(rounds), "--quiet")
        for one in concurtrace(folder, *given)["comparison"]["predictions"]:
            measured = Speed(one["measured"], one["measured_low"], one["measured_high"])
            what = f"{workload}: {one['from']} to {one['to']}"
            kind = PROCESSES if one["to"] == "processes" else LOOP
            tested.append(Tested(kind, what, one["predicted"], measured, one["model_error"]))
            print(row(tested[-1]), flush=True)
    return tested


def cores() -> float:
    """Return how many cores there are to use."""
    return float(len(os.sched_getaffinity(0)))


def row(one: Tested) -> str:
    """Write a prediction as a row of the page."""
    low, high = one.measured.low, one.measured.high
    interval = f"{low:.2f} to {high:.2f}" if low is not None and high is not None else "one round"
    predicted = "nothing" if one.predicted is None else f"{one.predicted:.2f}"
    error = "" if one.error is None else f"{one.error:+.1%}"
    model = "" if one.model_error is None else f"{one.model_error:+.1%}"
    return (
        f"| {one.kind} | {one.what} | {predicted} | {one.measured.factor:.2f}"
        f" | {interval} | {error} | {model} |"
    )


HEAD = (
    "| change | program | predicted | measured | 95 % interval | error | the model's own |\n"
    "|---|---|---|---|---|---|---|"
)


def summary(tested: Sequence[Tested]) -> tuple[list[str], bool]:
    """Sum every kind up; tell whether all goals were reached."""
    lines, reached = [], True
    for kind in dict.fromkeys(one.kind for one in tested):
        errors = [abs(one.error) for one in tested if one.kind == kind and one.error is not None]
        if not errors:
            continue
        middle, worst = statistics.median(errors), max(errors)
        text = f"* {kind}: median error {middle:.1%}, worst {worst:.1%}, {len(errors)} predictions"
        if kind in WITH_GOALS:
            good = middle <= MEDIAN and worst <= WORST
            text += f" (goal: {MEDIAN:.0%} and {WORST:.0%}, {'reached' if good else 'missed'})"
            reached = reached and good
        lines.append(text)
    return lines, reached


def page(tested: Sequence[Tested], rounds: int) -> str:
    """Write the page of results."""
    said, _ = summary(tested)
    told = (
        f"`nox -s predictions`, {rounds} rounds, Python {platform.python_version()},"
        f" {cores():.0f} cores. Factors are times as fast as\nbefore the change; the error is"
        " predicted by measured, less one; the model's own error is that of the replay of\nthe"
        " unchanged run."
    )
    parts = ("# Predictions put to the test", told, "\n".join(said))
    return "\n\n".join((*parts, "\n".join((HEAD, *map(row, tested))))) + "\n"


TESTS: dict[str, Callable[[int, Path], list[Tested]]] = {
    "processes": in_processes,
    "lock": without_lock,
    "workers": workers,
    "start": start_methods,
    "messages": messages,
    "loops": loops,
    "bundled": bundled,
}


def main() -> int:
    """Test what was asked for, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=TESTS, action="append")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    print(HEAD, flush=True)
    tested: list[Tested] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only or TESTS:
            tested += TESTS[name](given.rounds, Path(folder))
    said, reached = summary(tested)
    print(*said, sep="\n")
    if not given.only:
        given.output.write_text(page(tested, given.rounds), encoding="utf-8")
    return int(not reached)


if __name__ == "__main__":
    sys.exit(main())
