"""Run the programs of the corpus for real and check what the diagnosis says of them.

``python -m tests.rule_corpus.run [--times N] [--busy] [RULE…]``: every trigger must be the first or
second finding that is told, and no healthy twin may get a warning. ``--busy`` keeps one core busy
meanwhile. Prints a row per program; exits 1 if any run went wrong.
"""

import argparse
import ast
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from concurtrace import api
from concurtrace.rundir import store

HERE = Path(__file__).parent
FIRST = 2
"""A trigger must be found among so many stories."""
FRAMEWORKS = ("gevent", "twisted")
"""The end of a file's name says that its program is for one of them: a rule may have several."""
_NOT_PROGRAMS = ("__init__.py", "run.py")
OF_THE_MACHINE = ("competing-load", "degraded-source", "lost-events", "high-overhead")
"""Rules that may speak of the machine beside any program: they take no place from a trigger."""
_OF_FRAMEWORKS = ("import-cost",)
"""Importing a framework takes its time in programs as short as these."""


def programs() -> dict[str, Path]:
    """List the programs by the rule they trigger."""
    found = [path for path in HERE.glob("*.py") if path.name not in _NOT_PROGRAMS]
    own = [path for path in sorted(found) if not path.stem.endswith(FRAMEWORKS)]
    return {path.stem.replace("_", "-"): path for path in own}


def with_frameworks() -> dict[str, Path]:
    """List also those for frameworks that are installed: ``RULE/FRAMEWORK``."""
    found = programs()
    for framework in FRAMEWORKS:
        if find_spec(framework) is not None:
            for path in sorted(HERE.glob(f"*_{framework}.py")):
                rule = path.stem.removesuffix(f"_{framework}").replace("_", "-")
                found[f"{rule}/{framework}"] = path
    return dict(sorted(found.items()))


def options(path: Path) -> dict[str, Any]:
    """Read what a program wants: ``WITH`` (instruments), ``TIME_LIMIT_S``, ``MAX_TRACE_SIZE``."""
    found = {}
    for one in ast.parse(path.read_text("utf-8")).body:
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant):
            found[ast.unparse(one.targets[0])] = one.value.value
    return found


def findings(path: Path, variant: str, folder: Path) -> list[dict[str, Any]]:
    """Run a program once and return its findings."""
    given = options(path)
    command = [sys.executable, "-m", "concurtrace"]
    limit = ["--time-limit", str(given["TIME_LIMIT_S"])] if "TIME_LIMIT_S" in given else []
    if "MAX_TRACE_SIZE" in given:
        limit += ["--max-trace-size", given["MAX_TRACE_SIZE"]]
    instruments = given.get("WITH", "states")
    run = [*command, "run", "--with", instruments, *limit, str(path), variant]
    subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    # Read here, not by a command of its own: that saves a quarter of the time that a round takes.
    report = api.load(store.find("last", folder / store.RUNS))
    found: list[dict[str, Any]] = json.loads(api.render(report, "json"))["findings"]
    return found


def stories(found: list[dict[str, Any]]) -> list[set[str]]:
    """Group the rules that were told into stories, worst first."""
    heads = [
        one for one in found if one["severity"] in ("warning", "info") and one["part_of"] is None
    ]
    return [{one["rule"], *one["also"]} for one in heads]


def judge(rule: str, variant: str, found: list[dict[str, Any]]) -> str:
    """Say what is wrong with the findings of one run of a ``RULE`` or ``RULE/FRAMEWORK``."""
    failed = [one["summary"] for one in found if one["severity"] == "failed"]
    if failed:
        return f"a rule failed: {failed[0]}"
    rule, _, framework = rule.partition("/")
    beside = _OF_FRAMEWORKS if framework else ()
    warned = [one["rule"] for one in found if one["severity"] == "warning"]
    warned = [one for one in warned if one not in beside]
    if variant == "healthy":
        return f"warned of {', '.join(warned)}" if warned else ""
    told = [one for one in stories(found) if rule in one or not one & set(OF_THE_MACHINE)]
    place = next((n for n, one in enumerate(told, 1) if rule in one), None)
    if place is None:
        return f"not found; told: {[sorted(one) for one in told]}"
    return "" if place <= FIRST else f"found only as number {place}"


@contextmanager
def busy(*, wanted: bool) -> Iterator[None]:
    """Keep one core busy around a block."""
    burner = multiprocessing.Process(target=_burn, daemon=True)
    if wanted:
        burner.start()
    try:
        yield
    finally:
        if wanted:
            burner.kill()
            burner.join()


def _burn() -> None:
    while os.getppid() != 1:
        sum(range(1_000_000))


def main() -> int:
    """Run what was asked for, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("rules", nargs="*")
    given = parser.parse_args()
    chosen = {
        name: path
        for name, path in with_frameworks().items()
        if not given.rules or {name, name.partition("/")[0]} & set(given.rules)
    }
    wrong = 0
    with busy(wanted=given.busy), tempfile.TemporaryDirectory() as folder:
        for name, path in chosen.items():
            for variant in ("trigger", "healthy"):
                runs = [findings(path, variant, Path(folder)) for _ in range(given.times)]
                said = [text for one in runs if (text := judge(name, variant, one))]
                wrong += len(said)
                right = f"{given.times - len(said)}/{given.times}"
                print(f"{name:<36}{variant:<9}{right:>7}  {said[0] if said else ''}", flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
