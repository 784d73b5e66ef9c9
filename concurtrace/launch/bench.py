"""Time functions against each other: fresh processes one after the other, turns in each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from concurtrace.errors import RunFailedError
from concurtrace.launch import bench_worker


@dataclass(frozen=True)
class Bench:
    """What to time: statements (``MODULE:FUNC`` or ``MODULE:EXPRESSION``), how often, how long.

    ``min_ns`` is what one value takes at least: so many calls are made for it.
    """

    statements: tuple[str, ...]
    processes: int
    rounds: int
    min_ns: int


def run(bench: Bench, progress: Callable[[str], None]) -> list[list[list[float]]]:
    """Return, for each statement and process, the nanoseconds per call of every round.

    The first process also finds out how many calls a value takes. Each process has its own hash
    seed and memory layout, whose luck would else pass for speed. RunFailedError if one fails.
    """
    taken: list[list[list[float]]] = [[] for _ in bench.statements]
    loops = [0] * len(bench.statements)
    for number in range(bench.processes):
        progress(f"process {number + 1} of {bench.processes}")
        spec = {
            "statements": bench.statements,
            "loops": loops,
            "rounds": bench.rounds,
            "min_ns": bench.min_ns,
            "turn": number % 2,
        }
        done = subprocess.run(
            (sys.executable, "-m", bench_worker.__name__, json.dumps(spec)),
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise RunFailedError(f"Cannot time {' and '.join(bench.statements)}: {last}")
        answer = json.loads(done.stdout.splitlines()[-1])
        loops = answer["loops"]
        for mine, new in zip(taken, answer["taken_ns"], strict=True):
            mine.append(new)
    return taken
