"""What is recorded is alive: held against Python's allocator that overwrites what is freed."""

from pathlib import Path

import pytest

from tests.task_recording import record

CANCELLED_BY_ITSELF = """
import asyncio, time
async def main():
    loop = asyncio.get_running_loop()
    for _ in range(50):
        def long(*arguments):
            handle.cancel()
            until = time.perf_counter() + 0.001
            while time.perf_counter() < until:
                pass
        handle = loop.call_soon(long, object())
        del long
        await asyncio.sleep(0)
        del handle
asyncio.run(main())
print("done")
"""


def test_a_handle_that_is_cancelled_by_what_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONMALLOC", "debug")
    found = record(tmp_path, CANCELLED_BY_ITSELF)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip().endswith("done")
