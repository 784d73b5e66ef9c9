"""Every view of the reports of real runs that differ most; ``nox -s views`` looks at all."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.reliability.views import MOST_BYTES, complaints, profile

pytestmark = pytest.mark.browser
LIGHT = ("--preset", "tiny", "--repeat", "1", "--with", "baseline,states,tasks,cores")


@pytest.mark.parametrize(
    ("name", "mode"), [("philosophers", "threads"), ("producer-consumer", "processes")]
)
def test_every_view_of_a_real_run(browser: Browser, tmp_path: Path, name: str, mode: str) -> None:
    file = profile(tmp_path, name, mode, *LIGHT)
    assert list(complaints(browser, file)) == []
    assert file.stat().st_size < MOST_BYTES
