"""The page of a comparison: one file that opens from disk; its modes' reports lie beside it."""

from concurtrace.model.comparison import Comparison

from ..html.page import fill
from ..html.sections import (
    comparison,
    comparison_details,
    comparison_predictions,
    comparison_scaling,
)

_SECTIONS = (
    comparison.build,
    comparison_predictions.build,
    comparison_scaling.build,
    comparison_details.build,
)


class Html:
    """One page; words and tables are HTML, so it also reads without scripts."""

    name = "html"
    suffix = ".html"

    def render(self, compared: Comparison) -> str:
        """Render the page."""
        sections = [made for build in _SECTIONS if (made := build(compared)) is not None]
        return fill(f"{compared.workload}, every mode", compared, sections)


RENDERER = Html()
