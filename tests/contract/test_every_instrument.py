"""What holds for every instrument, whoever wrote it."""

from pathlib import Path

import pytest

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.instruments import Instrument
from concurtrace.model.recording import Recording

NAMES = list(discovery.modules(Kind.INSTRUMENT))


@pytest.fixture(params=NAMES)
def instrument(request: pytest.FixtureRequest) -> Instrument:
    found: Instrument = discovery.load(Kind.INSTRUMENT, request.param).INSTRUMENT
    assert found.name == request.param
    return found


def test_it_says_what_it_measures(instrument: Instrument) -> None:
    assert instrument.summary.strip()
    assert discovery.load(Kind.INSTRUMENT, instrument.name).__doc__


def test_an_empty_folder_is_an_empty_recording(instrument: Instrument, tmp_path: Path) -> None:
    out = tmp_path / instrument.name
    out.mkdir()
    assert instrument.read(out, {}).merge(Recording()) == instrument.read(out, {})


def test_its_module_is_light(instrument: Instrument) -> None:
    """It is imported in every process of the target, so it may not pull heavy packages in."""
    import subprocess
    import sys

    module = type(instrument).__module__
    heavy = ("numpy", "jinja2", "click", "cattrs", "psutil", "concurtrace.api")
    code = f"import sys, {module}\nprint([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
