"""Measure what the ``tasks`` instrument costs a step, beside other tools on the same programs.

Every round runs each tool once on each program, in an order of its own. The added cost of a step is
(CPU time of the work under the tool - CPU time without it in the same round) / steps; the figure is
the median over rounds with a bootstrap interval. CPU time, as the work itself measures it, because
wall time of a loop that waits says nothing about cost. The crawler is timed by wall as well.

``python -m benchmarks.tasks [--rounds N] [--peers] [--large]``; run by ``nox -s tasks``. With
``--large`` it also runs 100 000 tasks at once that make 10 000 000 steps, and holds their totals to
what the program counted. The page goes to ``results/tasks.md``.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.overhead import interval
from concurtrace.commands._report import HTML_NAME
from concurtrace.recording.task_trace import read_task_trace
from concurtrace.units import count_text, size_text, time_text

HERE = Path(__file__).parent
PROGRAM = HERE / "programs" / "task_steps.py"
RESULTS = HERE / "results" / "tasks.md"
SHAPES = {
    "yields": "tasks that only yield",
    "queues": "tasks that talk by queues",
    "timers": "tasks that wait for timers",
}
STEPS = 200_000
LARGE_STEPS = 10_000_000
SIZES = (None, "64M", "16M")
"""What the recording of very many tasks may take: by default, and less."""
CRAWLS = 5


@dataclass(frozen=True)
class Tool:
    """A tool: what stands before the program, and the package it needs."""

    name: str
    prefix: tuple[str, ...]
    package: str | None = None


def ours(name: str, instruments: str, *options: str) -> Tool:
    """Make the tool that records with some instruments, and writes no report of it."""
    command = (sys.executable, "-m", "concurtrace", "run", "--quiet", "--with", instruments)
    return Tool(name, (*command, *options))


PLAIN = Tool("nothing", (sys.executable,))
OURS = (ours("**tasks**", "tasks"), ours("**tasks and states**", "states,tasks"))
PEERS = (
    Tool("asyncio debug mode", (sys.executable, "-X", "dev", "-W", "ignore")),
    Tool(
        "viztracer --log_async",
        (sys.executable, "-m", "viztracer", "--quiet", "--log_async", "-o", "trace.json", "--"),
        "viztracer",
    ),
    Tool("yappi", (sys.executable, "-m", "yappi", "-o", "yappi.out", "-f", "pstat"), "yappi"),
    Tool(
        "scalene --cpu-only",
        (sys.executable, "-m", "scalene", "run", "--cpu-only", "--outfile", "scalene.json"),
        "scalene",
    ),
)


def run(tool: Tool, shape: str, steps: int, folder: Path) -> list[str]:
    """Run the program behind a tool; the lines that it prints. RuntimeError if it fails."""
    command = [*tool.prefix, str(PROGRAM), shape, str(steps)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout.splitlines()


def cpu_ns(lines: list[str]) -> int:
    """Find the CPU time of the work: the last line that is a number."""
    return int([line for line in lines if line.strip().isdigit()][-1])


def measure(tools: tuple[Tool, ...], rounds: int) -> Iterator[str]:
    """Yield the rows of the added cost of a step, for each tool and shape."""
    yield "| program | tool | added CPU time a step | 95 % interval | times the program's own |"
    yield "|---|---|---|---|---|"
    chance = random.Random(2)  # noqa: S311 - no secret
    for shape, words in SHAPES.items():
        added: dict[str, list[float]] = {tool.name: [] for tool in tools}
        ratios: dict[str, list[float]] = {tool.name: [] for tool in tools}
        for _ in range(rounds):
            order = [PLAIN, *tools]
            chance.shuffle(order)
            times = {}
            for tool in order:
                with tempfile.TemporaryDirectory() as folder:
                    times[tool.name] = cpu_ns(run(tool, shape, STEPS, Path(folder)))
            for name in added:
                added[name].append((times[name] - times[PLAIN.name]) / STEPS / 1_000)
                ratios[name].append(times[name] / times[PLAIN.name])
        for name, values in added.items():
            middle, low, high = interval(values)
            ratio = interval(ratios[name])[0]
            yield f"| {words} | {name} | {middle:.2f} µs | {low:.2f} to {high:.2f} | {ratio:.2f} |"


def crawl(rounds: int) -> str:
    """Say what the light pass costs the async crawler."""
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
    tie = ", within the noise" if low <= 1 <= high else ""
    return (
        f"The crawler with asyncio took {middle:.3f} [{low:.3f} to {high:.3f}] of its time in a"
        f" light pass of states and tasks{tie}; at most 1.03 was asked for."
    )


def accounted() -> str:
    """Say how much of a busy loop's time is told as tasks that ran."""
    with tempfile.TemporaryDirectory() as folder:
        run(OURS[1], "computes", STEPS // 10, Path(folder))
        show = [sys.executable, "-m", "concurtrace", "show", "last", "--format", "json"]
        shown = subprocess.run(show, cwd=folder, check=True, capture_output=True)
    report = json.loads(shown.stdout)
    (loop,) = [one for process in report["processes"] for one in process.get("loops", ())]
    running_ns = sum(one["states"].get("RUNNING", 0) for one in report["tasks"]["kinds"])
    return (
        f"Of the time that a loop was busy with tasks that compute a little, its rounds less its"
        f" waits, {running_ns / loop['busy_ns']:.2%} are told as RUNNING tasks."
    )


@dataclass(frozen=True)
class Usage:
    """What a process and those it waited for took: CPU seconds, and memory at most."""

    cpu_s: float
    peak_bytes: int


def usage_of(command: list[str], folder: Path) -> Usage:
    """Run a command to its end, in a process that did nothing before."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Usage(used.ru_utime + used.ru_stime, used.ru_maxrss << 10)


def totals_of(out: Path, told: dict[str, int]) -> tuple[bool, str]:
    """Hold the totals of a recording to what the program counted; say what is not kept singly."""
    trace = read_task_trace(out)
    (process,), tasks = trace.processes, trace.tasks
    running_ns = sum(one.steps_ns for one in trace.loops)
    right = (
        int(tasks.count.sum()) == process.tasks == told["tasks"]
        and int(tasks.steps.sum()) == sum(one.steps for one in trace.loops) == told["steps"]
        and process.steps == told["steps"] + sum(one.callbacks for one in trace.loops)
        and int(tasks.running_ns.sum()) == running_ns
    )
    kept = f"{count_text(process.steps_kept)} steps, {count_text(process.tasks - process.grouped)}"
    return right, f"{kept} tasks"


def large() -> Iterator[str]:
    """Yield the rows about very many tasks at once that make very many steps."""
    yield "| may take | totals | kept singly | recording | CPU time | memory | report | its file |"
    yield "|---|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        lines = run(PLAIN, "alive", LARGE_STEPS, Path(folder))
    plain, plain_ns = json.loads(lines[-2]), cpu_ns(lines)
    for size in SIZES:
        options = ("--max-trace-size", size) if size is not None else ()
        with tempfile.TemporaryDirectory() as folder:
            yield _large(size, ours("tasks", "tasks", *options), Path(folder), plain, plain_ns)


def _large(size: str | None, tool: Tool, folder: Path, plain: dict[str, Any], plain_ns: int) -> str:
    lines = run(tool, "alive", LARGE_STEPS, folder)
    told = json.loads(next(line for line in lines if line.startswith("{")))
    (out,) = folder.glob(".concurtrace/runs/*/raw/light/tasks")
    right, kept = totals_of(out, told)
    taken = sum(path.stat().st_size for path in out.glob("*.ctt"))
    show = [sys.executable, "-m", "concurtrace", "show", "last", "--format", "html"]
    written = usage_of([*show, "-o", HTML_NAME], folder)
    cells = (
        f"{size}iB" if size is not None else "as by default",
        "exact" if right else "**wrong**",
        kept,
        size_text(taken),
        f"{time_text(cpu_ns(lines))}, {cpu_ns(lines) / plain_ns:.2f} times",
        f"{size_text(told['peak_kib'] << 10)}, {told['peak_kib'] / plain['peak_kib']:.2f} times",
        f"{written.cpu_s:.1f} s CPU, {size_text(written.peak_bytes)}",
        size_text((folder / HTML_NAME).stat().st_size),
    )
    return f"| {' | '.join(cells)} |"


def page(rounds: int, tools: tuple[Tool, ...], *, with_large: bool) -> Iterator[str]:
    """Yield the lines of the page, as they are measured."""
    yield "# What recording tasks costs\n"
    where = f"Python {sys.version.split()[0]}, {os.cpu_count()} cores"
    yield (
        f"`nox -s tasks`, {where}, rounds: {rounds}."
        " The CPU time that a step of a task takes more\nthan without the tool, in the median of"
        " the rounds, at most 2 µs asked for; and the CPU time of the whole program as a\nmultiple"
        " of its own. A step that only yields is the shortest that there can be.\n"
    )
    yield from measure(tools, rounds)
    yield f"\n{crawl(rounds)}\n"
    yield f"{accounted()}\n"
    if with_large:
        yield "## Very many tasks and steps\n"
        yield (
            "100 000 tasks at once make 10 000 000 steps. Totals are exact where the number of"
            " tasks, of steps and the time\nthat tasks ran come to what the program counted, and to"
            " the sums of their loop. CPU time and memory are those\nof the program, and as"
            " multiples of what it takes without; then those of writing the HTML report.\n"
        )
        yield from large()


def main() -> None:
    """Measure what was asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    peers = [one for one in PEERS if one.package is None or find_spec(one.package) is not None]
    tools = (*OURS, *(peers if given.peers else ()))
    lines = []
    for line in page(given.rounds, tools, with_large=given.large):
        print(line, flush=True)
        lines.append(line)
    given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
