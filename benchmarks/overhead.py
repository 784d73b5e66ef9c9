"""Measure what the `states` pass costs, beside other tools on the same programs.

Every round runs each tool once, in an order of its own, so that drift of the machine hits all
alike; a figure is the median over rounds of (time under the tool / time without it in the same
round), with a bootstrap interval. Times are those of the programs' own work, as they print it,
without the start of the interpreter. Run by ``nox -s overhead``; the table goes to
``results/overhead.md``.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from concurtrace.launch import command
from concurtrace.launch.plan import RunPlan, workload_target

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "overhead.md"
PROGRAMS = ("cpu_threads", "socket_pair", "locks")
CRAWLER_MODES = ("sequential", "threads", "processes", "async")
SAMPLES = 2000
"""Bootstrap samples per interval."""

Times = dict[str, list[tuple[int, int]]]
"""For every tool and round the nanoseconds of the work with it and, in the same round, without."""

Run = Callable[[list[str]], int]
"""Run a command prefix with the program behind it; return the nanoseconds of its work."""


@dataclass(frozen=True)
class Tool:
    """A tool: what stands before the program, and the package it needs."""

    name: str
    prefix: tuple[str, ...]
    package: str | None = None

    def is_there(self) -> bool:
        """Whether it is installed: its package, or its program."""
        if self.package is not None:
            return find_spec(self.package) is not None
        return shutil.which(self.prefix[0]) is not None


_KNOCK = (
    "import runpy, sys, gilknocker; knocker = gilknocker.KnockKnock(1_000); knocker.start();"
    "sys.argv = sys.argv[1:]; module = sys.argv[0] == '-m' and sys.argv.pop(0);"
    "(runpy.run_module if module else runpy.run_path)(sys.argv[0], run_name='__main__');"
    "knocker.stop()"
)

PEERS = (
    Tool("cProfile", (sys.executable, "-m", "cProfile", "-o", os.devnull)),
    Tool(
        "viztracer",
        (sys.executable, "-m", "viztracer", "--quiet", "-o", "trace.json", "--"),
        "viztracer",
    ),
    Tool("yappi", (sys.executable, "-m", "yappi", "-o", "yappi.out", "-f", "pstat"), "yappi"),
    Tool(
        "py-spy 100 Hz",
        ("py-spy", "record", "-o", "spy.txt", "-f", "raw", "--subprocesses", "--", sys.executable),
    ),
    Tool("gilknocker 1 ms", (sys.executable, "-c", _KNOCK), "gilknocker"),
    Tool(
        "scalene --cpu-only",
        (sys.executable, "-m", "scalene", "run", "--cpu-only", "--outfile", "scalene.json"),
        "scalene",
    ),
)


def run_program(name: str, prefix: list[str]) -> int:
    """Run one of the small programs; its last line is the time."""
    program = str(HERE / "programs" / f"{name}.py")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*prefix, program], cwd=folder, capture_output=True, text=True, check=True
        )
    numbers = [line for line in done.stdout.splitlines() if line.strip().isdigit()]
    return int(numbers[-1])


def run_with_concurtrace(name: str) -> int:
    """Run one of the small programs as ``concurtrace run`` does, in the light pass."""
    tool = [sys.executable, "-m", "concurtrace", "run", "--quiet", "--with", "states,cores"]
    return run_program(name, tool)


def crawler_pair(mode: str) -> tuple[int, int]:
    """Run the crawler without and in the light pass; its run holds both times."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "concurtrace",
                "profile",
                "crawler",
                "--mode",
                mode,
                "--quiet",
                "--repeat",
                "1",
                "--with",
                "baseline,states,cores",
            ],
            cwd=folder,
            capture_output=True,
            check=True,
        )
        (manifest,) = Path(folder).glob(".concurtrace/runs/*/run.json")
        passes = json.loads(manifest.read_text())["passes"]
    walls = {one["name"]: one["executions"][0]["wall_ns"] for one in passes}
    return walls["baseline"], walls["light"]


@contextlib.contextmanager
def crawler_program(mode: str) -> Iterator[Run]:
    """Serve the crawler's site, and give a way to run the crawl behind any tool."""
    with tempfile.TemporaryDirectory() as folder:
        plan = RunPlan(workload_target("crawler", mode, "default", {}), (), None, {}, None)
        with command.ready(plan, Path(folder), mode, 0) as ready:

            def run(prefix: list[str]) -> int:
                program = ready.argv[2:]  # without the interpreter and its -P
                subprocess.run([*prefix, *program], cwd=folder, capture_output=True, check=True)
                return int(json.loads(ready.answer_file.read_text())["wall_ns"])

            yield run


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the median and its 95 % bootstrap interval."""
    chance = random.Random(1)  # noqa: S311 - resampling, no secret
    medians = sorted(
        statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(SAMPLES)
    )
    return statistics.median(ratios), medians[SAMPLES // 40], medians[-SAMPLES // 40]


def measure_program(name: str, tools: list[Tool], rounds: int) -> Times:
    """Time every tool and the plain run in each round."""
    found: Times = {}
    for number in range(rounds):
        runs: dict[str, Callable[[], int]] = {
            "plain": lambda: run_program(name, [sys.executable]),
            "concurtrace states": lambda: run_with_concurtrace(name),
        }
        for tool in tools:
            runs[tool.name] = lambda tool=tool: run_program(name, list(tool.prefix))  # type: ignore[misc]
        order = sorted(runs, key=lambda key: hash((number, key)))
        times = {key: runs[key]() for key in order}
        for key, time_ns in times.items():
            if key != "plain":
                found.setdefault(key, []).append((time_ns, times["plain"]))
    return found


def measure_crawler(mode: str, tools: list[Tool], rounds: int) -> Times:
    """Time the crawler; a tool that cannot run it is left out of the table."""
    found: Times = {}
    with crawler_program(mode) as run:
        for _ in range(rounds):
            plain, light = crawler_pair(mode)
            found.setdefault("concurtrace states", []).append((light, plain))
            base = run([sys.executable]) if tools else 1
            for tool in tools:
                with contextlib.suppress(subprocess.CalledProcessError):
                    found.setdefault(tool.name, []).append((run(list(tool.prefix)), base))
    return found


def table(results: dict[str, Times]) -> str:
    """Lay the results out as Markdown; an interval that holds 1.0 is a tie."""
    lines = [
        "| program | tool | time against plain | 95 % interval | fastest by fastest | rounds |",
        "|---|---|---|---|---|---|",
    ]
    for program, tools in results.items():
        for tool, times in tools.items():
            middle, low, high = interval([one / plain for one, plain in times])
            tie = " (within the noise)" if low <= 1 <= high else ""
            best = min(one for one, _ in times) / min(plain for _, plain in times)
            lines.append(
                f"| {program} | {tool} | {middle:.3f}{tie} | {low:.3f} to {high:.3f} |"
                f" {best:.3f} | {len(times)} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--peers", action="store_true", help="measure the other tools too")
    parser.add_argument("--only", nargs="*", help="programs, by name")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    tools = [one for one in PEERS if one.is_there()]
    tools = tools if given.peers else []
    results = {}
    for name in PROGRAMS:
        if not given.only or name in given.only:
            results[name] = measure_program(name, tools, given.rounds)
            print(table({name: results[name]}), flush=True)
    for mode in CRAWLER_MODES:
        if not given.only or f"crawler-{mode}" in given.only:
            results[f"crawler {mode}"] = measure_crawler(mode, tools, given.rounds)
            print(table({mode: results[f"crawler {mode}"]}), flush=True)
    head = f"# Overhead\n\nPython {sys.version.split()[0]}, {os.cpu_count()} cores.\n\n"
    given.output.write_text(head + table(results), encoding="utf-8")


if __name__ == "__main__":
    main()
