"""The watcher and the recorder, built once, and a bench for each test."""

import shutil
from pathlib import Path

import pytest

from concurtrace.instruments import _watcher
from concurtrace.recording.watched import Source, read_head
from tests.integration.watcher.bench import Bench, Libraries, build


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    return build(tmp_path_factory.mktemp("native"))


@pytest.fixture
def bench(tmp_path: Path, libraries: Libraries, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv(_watcher.OVERRIDE, str(libraries.watcher))
    return Bench(tmp_path, libraries)


@pytest.fixture
def switches_permitted(bench: Bench) -> None:
    """Skip where the kernel refuses switch records, as some containers do."""
    bench.run("pass", switches="always", sample_hz=0)
    permitted = int(read_head(bench.out)["source"]) == Source.PERF.value
    shutil.rmtree(bench.out)
    if not permitted:
        pytest.skip("perf_event_open is not permitted here")
