"""The self-contained HTML report: one file that opens from disk, without any network."""

from concurtrace.model.report import Report

from .page import render_page


class Html:
    """One page with everything; words and tables are HTML, so it also reads without scripts."""

    name = "html"
    suffix = ".html"

    def render(self, report: Report) -> str:
        """Render the page."""
        return render_page(report)


RENDERER = Html()
