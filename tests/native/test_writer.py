"""The writer core alone, many threads at once, under the sanitizers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import NATIVE
from .recording import problems, read

CORE = ["clock.c", "file.c", "span.c", "meta.c", "shared.c", "thread.c", "real.c"]
SPANS = 12_000


def build(folder: Path, compiler: Callable[..., Path], *flags: str) -> Path:
    sources = [Path(__file__).with_name("writer_test.c"), *(NATIVE / name for name in CORE)]
    return compiler(
        sources, folder / "writer", f"-I{NATIVE}", "-O1", "-g", "-fvisibility=default", "-pthread",
        "-ldl", *flags,
    )  # fmt: skip


@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
@pytest.mark.parametrize("budget", [256 << 20, 2 << 20], ids=["room", "full"])
def test_many_threads_write_at_once(
    tmp_path: Path, compiler: Callable[..., Path], sanitizer: str, budget: int
) -> None:
    writer = build(tmp_path, compiler, f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")
    states = tmp_path / "states"
    states.mkdir()
    done = subprocess.run(
        [str(writer), "8", str(SPANS)],
        env={
            **os.environ,
            "CONCURTRACE_STATES_DIR": str(states),
            "CONCURTRACE_MIN_SPAN_NS": "600",
            "CONCURTRACE_MAX_BYTES": str(budget),
            "TSAN_OPTIONS": "halt_on_error=1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (process,) = read(states).processes
    assert problems(process) == []
    assert len(process.threads) == 8
    for thread in process.threads:
        counted = sum(total.count for total in thread.states.values())
        assert counted == SPANS + 1
        assert sum(total.folded_count for total in thread.states.values()) > 0
    names = {process.strings[span.stack] for t in process.threads for span in t.spans if span.stack}
    assert names == {f"name-{n}" for n in range(500)}
    assert sum(thing.contended for thing in process.objects.values()) == 8 * SPANS
    assert len({thing.key for thing in process.objects.values()}) == 300
