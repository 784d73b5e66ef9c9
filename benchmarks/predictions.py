"""Put predictions to the test: each against a measured run of the changed program.

``python -m benchmarks.predictions [--rounds N] [--only KIND]``. Programs and their changed twins
take turns; the program is recorded once. Prints a row per prediction and, for each kind, the median
and the worst absolute error; exits 1 if one is above its goal. It needs a quiet machine.
"""

import argparse
import json
import os
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

PROGRAM = Path(__file__).parent / "programs" / "what_if.py"
MEDIAN, WORST = 0.10, 0.25
IN_PROCESSES = ("even", "uneven", "mixed", "native", "brief", "serial")
WITHOUT_LOCK = ("lock-sleep", "lock-digest", "lock-little", "lock-python")
WORKERS = ("workers-compute", "workers-wait", "workers-guarded")
FITTED, FORETOLD = (1, 2, 4), (3, 6)
BUNDLED = (("factorize", "threads,processes"), ("crawler", "threads,processes"))


@dataclass(frozen=True)
class Tested:
    """One prediction beside its measurement."""

    kind: str
    what: str
    predicted: float
    measured: Speed
    model_error: float | None

    @property
    def error(self) -> float:
        """Predicted by measured, less one."""
        return self.predicted / self.measured.factor - 1


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


def pairs(
    kind: str,
    names: Sequence[str],
    before: str,
    after: str,
    chosen: Callable[[str], bool],
    rounds: int,
    folder: Path,
) -> list[Tested]:
    """Test what is foretold of changing one variant into another."""
    tested = []
    for name in names:
        found = [one for one in predictions_of(folder, name, before) if chosen(one["what_if"])]
        walls = in_turns(name, (before, after), rounds)
        measured = speed(walls[after], walls[before])
        if not found:
            print(f"{kind:<14}{name:<34} no prediction; measured {measured.factor:.2f}")
            continue
        first = found[0]
        tested.append(Tested(kind, name, first["speedup"], measured, first["model_error"]))
        print(row(tested[-1]), flush=True)
    return tested


def in_processes(rounds: int, folder: Path) -> list[Tested]:
    """Threads against processes."""
    return pairs(
        "processes",
        IN_PROCESSES,
        "threads",
        "processes",
        lambda what: what == "processes",
        rounds,
        folder,
    )


def without_lock(rounds: int, folder: Path) -> list[Tested]:
    """A lock against none."""
    locks = ("without ", "no wait while holding ")
    return pairs(
        "lock",
        WITHOUT_LOCK,
        "lock",
        "free",
        lambda what: what.startswith(locks),
        rounds,
        folder,
    )


def workers(rounds: int, _folder: Path) -> list[Tested]:
    """A law fitted to some numbers of workers against runs with others."""
    tested = []
    for name in WORKERS:
        walls = in_turns(name, [str(many) for many in (*FITTED, *FORETOLD)], rounds)
        factors = {many: speed(walls[str(many)], walls["1"]) for many in (*FITTED, *FORETOLD)}
        law = fitted_law({many: factors[many].factor for many in FITTED}, cores())
        for many in FORETOLD:
            what = f"{name}, {many} from {', '.join(map(str, FITTED))}"
            tested.append(Tested("workers", what, law(many), factors[many], None))
            print(row(tested[-1]), flush=True)
    return tested


def bundled(rounds: int, folder: Path) -> list[Tested]:
    """Bundled workloads, as their comparison says itself."""
    tested = []
    for workload, modes in BUNDLED:
        given = ("compare", workload, "--modes", modes, "--repeat", str(rounds), "--quiet")
        for one in concurtrace(folder, *given)["comparison"]["predictions"]:
            if one["to"] != "processes":
                continue
            measured = Speed(one["measured"], one["measured_low"], one["measured_high"])
            what = f"{workload}, {one['from']} to {one['to']}"
            tested.append(Tested("processes", what, one["predicted"], measured, one["model_error"]))
            print(row(tested[-1]), flush=True)
    return tested


def cores() -> float:
    """Return how many cores there are to use."""
    return float(len(os.sched_getaffinity(0)))


def row(one: Tested) -> str:
    """Write a prediction as a row."""
    low, high = one.measured.low, one.measured.high
    interval = f"{low:.2f} to {high:.2f}" if low is not None and high is not None else "one round"
    model = f"{one.model_error:+.1%}" if one.model_error is not None else ""
    return (
        f"{one.kind:<14}{one.what:<34}{one.predicted:>7.2f}{one.measured.factor:>9.2f}"
        f"  {interval:<14}{one.error:>+8.1%}{model:>9}"
    )


TESTS: dict[str, Callable[[int, Path], list[Tested]]] = {
    "processes": in_processes,
    "lock": without_lock,
    "workers": workers,
    "bundled": bundled,
}


def main() -> int:
    """Test what was asked for, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=TESTS, action="append")
    given = parser.parse_args()
    print(
        f"{'kind':<14}{'what':<34}{'foretold':>7}{'measured':>9}"
        f"  {'interval':<14}{'error':>8}{'model':>9}"
    )
    tested: list[Tested] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only or TESTS:
            tested += TESTS[name](given.rounds, Path(folder))
    missed = False
    for kind in dict.fromkeys(one.kind for one in tested):
        errors = [abs(one.error) for one in tested if one.kind == kind]
        middle, worst = statistics.median(errors), max(errors)
        missed = missed or middle > MEDIAN or worst > WORST
        print(
            f"{kind}: median error {middle:.1%} (goal {MEDIAN:.0%}),"
            f" worst {worst:.1%} (goal {WORST:.0%}), {len(errors)} predictions"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
