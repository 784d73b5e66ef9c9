"""What a section of the page is: an answer in a sentence, then the proof."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._words import Absence


@dataclass(frozen=True)
class Section:
    """A section, ready for its template ``templates/sections/<anchor>.html.j2``.

    ``answer`` is its own first sentence. ``view`` is what the template shows; where the data were
    not recorded, ``absence`` says why and there is no view. ``data`` are blocks of JSON for the
    scripts, by name, ``packed`` blocks of bytes as base64. How it was measured stands in the
    template.
    """

    anchor: str
    title: str
    answer: str = ""
    view: object = None
    absence: Absence | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    packed: Mapping[str, str] = field(default_factory=dict)

    @property
    def template(self) -> str:
        """The file of its template."""
        return f"sections/{self.anchor}.html.j2"
