"""Renderers: each turns a report into text or bytes, and does nothing else.

A renderer is one module (or folder) here that defines ``RENDERER``.
"""

from typing import Protocol

from concurtrace.model.report import Report


class Renderer(Protocol):
    """What a renderer is; its options, if any, are its own."""

    name: str
    suffix: str

    def render(self, report: Report) -> str | bytes:
        """Turn a report into the content of a file."""
