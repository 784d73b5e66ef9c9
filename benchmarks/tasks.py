"""Measure what the ``tasks`` instrument costs a step, beside other tools on the same programs.

Every round runs each tool once on each program, in an order of its own. The added cost of a step is
(CPU time of the work under the tool - CPU time without it in the same round) / steps; the figure is
the median over rounds with a bootstrap interval. CPU time, as the work itself measures it, because
wall time of a loop that waits says nothing about cost. The crawler is timed by wall as well.

``python -m benchmarks.tasks [--rounds N] [--peers] [--large]``; run by ``nox -s tasks``. With
``--large`` it also runs 100 000 live tasks and 10 000 000 steps and checks the totals.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from concurtrace.recording.task_trace import read_task_trace

PROGRAM = Path(__file__).parent / "programs" / "task_steps.py"
SHAPES = ("yields", "queues", "timers")
STEPS = 200_000
SAMPLES = 2_000
CRAWLS = 5


@dataclass(frozen=True)
class Tool:
    """A tool: what stands before the program."""

    name: str
    prefix: tuple[str, ...]


PLAIN = Tool("nothing", (sys.executable,))
OURS = (
    Tool("tasks", (sys.executable, "-m", "concurtrace", "run", "--quiet", "--with", "tasks")),
    Tool(
        "tasks and states",
        (sys.executable, "-m", "concurtrace", "run", "--quiet", "--with", "states,tasks"),
    ),
)
PEERS = (
    Tool("asyncio debug mode", (sys.executable, "-X", "dev", "-W", "ignore")),
    Tool(
        "viztracer --log_async",
        (sys.executable, "-m", "viztracer", "--quiet", "--log_async", "-o", "trace.json", "--"),
    ),
    Tool("yappi", (sys.executable, "-m", "yappi", "-o", "yappi.out", "-f", "pstat")),
    Tool(
        "scalene --cpu-only",
        (sys.executable, "-m", "scalene", "run", "--cpu-only", "--outfile", "scalene.json"),
    ),
)


def cpu_ns(tool: Tool, shape: str, steps: int) -> int:
    """Run the program once; its last line that is a number is the CPU time of its work."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*tool.prefix, str(PROGRAM), shape, str(steps)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    return int([line for line in done.stdout.splitlines() if line.strip().isdigit()][-1])


def interval(values: list[float]) -> tuple[float, float, float]:
    """Return the median and a 95 % bootstrap interval of it."""
    chance = random.Random(1)  # noqa: S311 - no secret
    medians = sorted(
        statistics.median(chance.choices(values, k=len(values))) for _ in range(SAMPLES)
    )
    low, high = medians[round(0.025 * SAMPLES)], medians[round(0.975 * SAMPLES) - 1]
    return statistics.median(values), low, high


def measure(tools: tuple[Tool, ...], rounds: int) -> None:
    """Print the added cost of a step, in microseconds, for each tool and shape."""
    chance = random.Random(2)  # noqa: S311 - no secret
    for shape in SHAPES:
        added: dict[str, list[float]] = {tool.name: [] for tool in tools}
        for _ in range(rounds):
            order = [PLAIN, *tools]
            chance.shuffle(order)
            times = {tool.name: cpu_ns(tool, shape, STEPS) for tool in order}
            for name in added:
                added[name].append((times[name] - times[PLAIN.name]) / STEPS / 1_000)
        for name, values in added.items():
            middle, low, high = interval(values)
            print(f"{shape:<8}{name:<24}{middle:8.2f} us a step  [{low:.2f}, {high:.2f}]")


def crawl(rounds: int) -> None:
    """Print what the light pass costs the async crawler."""
    ratios = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "concurtrace"]
            profile = [*command, "profile", "crawler", "--mode", "async", "--quiet"]
            subprocess.run(
                [*profile, "--repeat", str(CRAWLS), "--with", "baseline,states,tasks"],
                cwd=folder,
                check=True,
                capture_output=True,
            )
            shown = subprocess.run(
                [*command, "show", "last", "--format", "json"],
                cwd=folder,
                check=True,
                capture_output=True,
            )
        passes = {one["name"]: one for one in json.loads(shown.stdout)["passes"]}
        ratios.append(passes["light"]["wall_ns"] / passes["baseline"]["wall_ns"])
    middle, low, high = interval(ratios)
    print(f"crawler async, light pass: {middle:.3f} of the time without  [{low:.3f}, {high:.3f}]")


def large() -> None:
    """Run very many tasks and steps; the totals must be exact and the file within its bound."""
    for shape, count, steps in (("alive", 100_000, 300_000), ("yields", 100, 10_000_000)):
        with tempfile.TemporaryDirectory() as folder:
            tool = [*OURS[0].prefix, str(PROGRAM), shape, str(steps)]
            subprocess.run(tool, cwd=folder, check=True, capture_output=True)
            (out,) = Path(folder).glob(".concurtrace/runs/*/raw/light/tasks")
            trace = read_task_trace(out)
            seen, made = int(trace.tasks.steps.sum()), int(trace.tasks.count.sum())
            size = sum(path.stat().st_size for path in out.glob("*.ctt"))
        right = "exact" if made >= count and seen >= steps else "WRONG"
        print(f"{shape:<8}{made:>10} tasks {seen:>10} steps: totals {right}, {size} bytes")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    measure(OURS + (PEERS if given.peers else ()), given.rounds)
    crawl(given.rounds)
    if given.large:
        large()


if __name__ == "__main__":
    main()
