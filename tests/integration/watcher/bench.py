"""Run programs under the recorder while the watcher looks at them.

A program that must run for a while does so until its input is closed: no test waits for a time.
"""

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concurtrace.instruments import _watcher
from concurtrace.instruments._watcher import watching
from concurtrace.recording.watched import Kind, read_table

NATIVE = Path(_watcher.__file__).parents[1] / "native"
FLAGS = ["-O1", "-std=gnu11", "-fPIC", "-shared", "-fno-optimize-sibling-calls"]
FLAGS += ["-fvisibility=hidden", "-ftls-model=initial-exec", "-Wall", "-Wextra", "-Werror"]
LINK = ["-ldl", "-lpthread"]
MIB = 1 << 20


def build(folder: Path) -> "Libraries":
    """Compile both libraries, at the same time."""
    found = Libraries(folder / "watcher.so", folder / "recorder.so")
    sources = {found.watcher: NATIVE / "watcher", found.recorder: NATIVE}
    compilers = [
        subprocess.Popen(["cc", *FLAGS, *map(str, sorted(where.glob("*.c"))), "-o", library, *LINK])
        for library, where in sources.items()
    ]
    assert [one.wait() for one in compilers] == [0, 0]
    return found


@dataclass(frozen=True)
class Libraries:
    watcher: Path
    recorder: Path


@dataclass(frozen=True)
class Bench:
    """Where programs run under the recorder while the watcher looks at them."""

    folder: Path
    libraries: Libraries

    @property
    def out(self) -> Path:
        return self.folder / "states"

    @contextlib.contextmanager
    def start(self, code: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """Start a program; it is watched until the block ends, and must end by then."""
        self.out.mkdir(exist_ok=True)
        script = self.folder / "program.py"
        script.write_text(textwrap.dedent(code))
        room = options.pop("max_bytes", 16 * MIB)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(self.libraries.recorder),
            "CONCURTRACE_STATES_DIR": str(self.out),
        }
        with subprocess.Popen(
            [sys.executable, str(script)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as program:
            try:
                with watching(program.pid, self.out, options, room):
                    yield program
                    program.wait(60)
            finally:
                program.kill()

    def run(self, code: str, **options: Any) -> Any:
        """Run a program to its end; returns what it printed, as JSON."""
        with self.start(code, **options) as program:
            told, _ = program.communicate(timeout=60)
        assert program.returncode == 0
        return json.loads(told) if told else None

    def run_until(self, code: str, enough: Callable[[], bool], **options: Any) -> Any:
        """Run a program that ends when its input does, until there is enough.

        It prints ``working`` once what is to be seen has begun; before that nobody asks.
        """
        with self.start(code, **options) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "working\n"
            deadline = time.monotonic() + 60
            while not enough() and program.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            told, _ = program.communicate(timeout=60)
        assert program.returncode == 0
        assert enough()
        return json.loads(told) if told else None

    def count(self, kind: Kind) -> int:
        """Items of a table so far; it grows while the watcher runs."""
        return len(read_table(self.out, kind).items) if kind.path(self.out).exists() else 0
