"""Renderers of comparisons: each turns modes side by side into text, and does nothing else.

A renderer is one module (or folder) here that defines ``RENDERER``, as those of reports do.
"""

from typing import Protocol

from concurtrace.model.comparison import Comparison


class ComparisonRenderer(Protocol):
    """What a renderer of comparisons is; its name is that of the format."""

    name: str
    suffix: str

    def render(self, comparison: Comparison) -> str | bytes:
        """Turn a comparison into the content of a file."""
