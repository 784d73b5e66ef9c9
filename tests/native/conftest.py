"""Build the recorder once, and run Python programs under it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .recording import Recording, problems, read

NATIVE = Path(__file__).parents[2] / "concurtrace" / "native"
FLAGS = [
    "-std=gnu11", "-fPIC", "-fno-optimize-sibling-calls", "-fvisibility=hidden",
    "-ftls-model=initial-exec", "-Wall", "-Wextra", "-Werror",
]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A program that ran under the recorder."""

    stdout: str
    stderr: str
    returncode: int
    directory: Path

    @property
    def recording(self) -> Recording:
        """Its recording, found sound: all sums and orders of format.h hold."""
        recording = read(self.directory)
        for process in recording.processes:
            assert problems(process, killed=process.status == "alive") == []
        return recording


@dataclass(frozen=True)
class Bench:
    """Where programs are run, and with which library."""

    library: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def env(self, **more: str) -> dict[str, str]:
        states = self.folder / "states"
        states.mkdir(exist_ok=True)
        return {
            **os.environ,
            "LD_PRELOAD": str(self.library),
            "CONCURTRACE_STATES_DIR": str(states),
            "CONCURTRACE_MIN_SPAN_NS": "0",
            "CONCURTRACE_STACK_NS": "0",
            **self.environment,
            **more,
        }

    def script(self, code: str) -> Path:
        path = self.folder / "program.py"
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        return path

    def run(self, code: str, **more: str) -> Outcome:
        """Run a program to its end; its exit status is the caller's to judge."""
        done = subprocess.run(
            [sys.executable, str(self.script(code))],
            env=self.env(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Outcome(done.stdout, done.stderr, done.returncode, self.folder / "states")

    def record(self, code: str, **more: str) -> Recording:
        """Run a program that must succeed, and read what was recorded of it."""
        outcome = self.run(code, **more)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.recording


def compile_c(sources: list[Path], output: Path, *flags: str) -> Path:
    """Compile with the project's flags; a warning is an error."""
    command = ["cc", *FLAGS, *flags, *map(str, sources), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorder, built as the package builds it."""
    output = tmp_path_factory.mktemp("recorder") / "recorder.so"
    return compile_c(sorted(NATIVE.glob("*.c")), output, "-O2", "-shared")


@pytest.fixture
def bench(library: Path, tmp_path: Path) -> Bench:
    return Bench(library, tmp_path)


@pytest.fixture
def compiler() -> Callable[..., Path]:
    return compile_c
