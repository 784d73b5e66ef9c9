"""A program that imports for longer than it works, and one that works for longer."""

import importlib
import sys
import tempfile
from pathlib import Path

MODULE = "value = sum(number * number for number in range(400_000))\n"


def run(*, modules: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        for number in range(modules):
            Path(folder, f"part_{number}.py").write_text(MODULE, encoding="utf-8")
        importlib.invalidate_caches()
        for number in range(modules):
            importlib.import_module(f"part_{number}")
        for _ in range(rounds):
            sum(number * number for number in range(400_000))


def trigger() -> None:
    run(modules=40, rounds=1)


def healthy() -> None:
    run(modules=1, rounds=40)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
