"""Run CPython's own tests with the recorder preloaded and without, and compare every result.

``python -m tests.reliability.compatibility [TEST…]``, run by ``nox -s compatibility`` on each
interpreter. A test whose result differs is run again, thrice each way, and counts as a difference
if it never passes with the recorder though it does without.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

TESTS = (
    "test_threading",
    "test_thread",
    "test_queue",
    "test_concurrent_futures",
    "test_asyncio",
    "test_subprocess",
    "test_multiprocessing_fork",
    "test_multiprocessing_spawn",
    "test_multiprocessing_forkserver",
    "test_signal",
    "test_fork1",
    "test_socket",
)
AGAIN = 3
# VSOCK needs a hypervisor's help and hangs where there is none, with and without the recorder.
OPTIONS = ("-v", "--timeout", "600", "-i", "*VSOCK*")
_RESULT = re.compile(
    r"^(test\w*) \(([\w.]+)\)(?:\n.*?)?? \.\.\. (?:.*?)(ok|FAIL|ERROR|skipped|expected failure)",
    re.MULTILINE,
)


def results(tests: tuple[str, ...], extra: Mapping[str, str]) -> dict[str, str]:
    """Run test modules; return ``{test: result}`` of each single test."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "test", *OPTIONS, *tests],
            env={**os.environ, **extra},
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    found = {f"{name} ({where})": how for name, where, how in _RESULT.findall(done.stdout)}
    if not found:
        sys.exit(f"no test of {', '.join(tests)} ran: {done.stdout[-500:]}{done.stderr[-500:]}")
    return found


def recorder(states: Path) -> dict[str, str]:
    """Return the environment in which everything is recorded."""
    spec = find_spec("concurtrace._recorder")
    if spec is None or spec.origin is None:
        sys.exit("the recorder was not built: install concurtrace where there is a C compiler")
    return {"LD_PRELOAD": spec.origin, "CONCURTRACE_STATES_DIR": str(states)}


def _passes_again(module: str, name: str, extra: Mapping[str, str]) -> bool:
    good = ("ok", "skipped", "expected failure")
    return any(results((module,), extra).get(name) in good for _ in range(AGAIN))


def main(tests: tuple[str, ...]) -> int:
    """Compare; return how many tests differ."""
    # Where it was ignored (in the background of a shell), tests of Ctrl-C would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    differences = 0
    for module in tests:
        if find_spec(f"test.{module}") is None:
            print(f"{module}: this interpreter does not ship it", flush=True)
            continue
        with tempfile.TemporaryDirectory() as states:
            extra = recorder(Path(states))
            plain, recorded = results((module,), {}), results((module,), extra)
            differing = {name for name in plain | recorded if plain.get(name) != recorded.get(name)}
            real = sorted(
                name
                for name in differing
                if _passes_again(module, name, {}) and not _passes_again(module, name, extra)
            )
        print(
            f"{module}: {len(plain)} tests, {len(differing)} differed once, {len(real)} differ",
            flush=True,
        )
        for name in real:
            print(f"  {name}: {plain.get(name)} without, {recorded.get(name)} with the recorder")
        differences += len(real)
    return differences


if __name__ == "__main__":
    sys.exit(1 if main(tuple(sys.argv[1:]) or TESTS) else 0)
