"""The self-contained HTML report: one file that opens from disk, without any network."""

import html

from concurtrace.model.report import Report

from ..terminal import RENDERER as _TERMINAL


class Html:
    """The first light of the page: the terminal's summary on a page of its own."""

    name = "html"
    suffix = ".html"

    def render(self, report: Report) -> str:
        """Put the summary on a page."""
        text = html.escape(_TERMINAL.render(report))
        return f"<!doctype html><meta charset=utf-8><title>concurtrace</title><pre>{text}</pre>"


RENDERER = Html()
