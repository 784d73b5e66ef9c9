"""Renderers of differences: each turns what changed between two runs into text.

A renderer is one module here that defines ``RENDERER``, as those of reports do.
"""

from typing import Protocol

from concurtrace.model.difference import Difference


class DifferenceRenderer(Protocol):
    """What a renderer of differences is; its name is that of the format."""

    name: str
    suffix: str

    def render(self, difference: Difference) -> str | bytes:
        """Turn a difference into text."""
