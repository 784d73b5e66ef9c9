"""The gallery: what its page leads to is there, small, and tells nothing of where it was made."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LINKS = re.findall(r"\]\(([^)]+)\)", (DOCS / "gallery.md").read_text("utf-8"))
REPORTS = sorted((DOCS / "samples").rglob("*.html"))
MOST_BYTES = 1_000_000


@pytest.mark.parametrize("link", LINKS)
def test_what_the_page_leads_to_is_there(link: str) -> None:
    assert (DOCS / link).is_file()


def test_every_sample_is_reached() -> None:
    reached = {DOCS / link for link in LINKS}
    for report in REPORTS:
        inside = {report.parents[up] / "report.html" for up in range(3)}
        assert reached & inside, report


@pytest.mark.parametrize("report", REPORTS, ids=lambda one: str(one.relative_to(DOCS)))
def test_a_sample_is_small_and_names_no_folder_of_a_machine(report: Path) -> None:
    text = report.read_text("utf-8")
    assert len(text.encode()) <= MOST_BYTES
    plain = re.sub(r'(<script type="application/octet-stream"[^>]*>)[^<]+', r"\1", text)
    # Folders of users, of servers and of builds; /tmp names no machine.
    assert re.findall(r"(?<![\w.~])/(?:home|root|work|srv|opt|Users)/[\w.-]+", plain) == []
