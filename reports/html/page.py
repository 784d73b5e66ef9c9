"""Put the page together: templates, styles, scripts and data in one file that asks for nothing."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from concurtrace.model.comparison import Comparison
from concurtrace.model.report import Report

from .._text import printable, shorten, without_home
from .._words import subject
from .section import Section
from .sections import (
    artifacts,
    blocking,
    cores,
    details,
    findings,
    flame,
    functions,
    gil,
    locks,
    memory,
    overview,
    parallelism,
    passes,
    processes,
    source,
    states,
    tasks,
    timeline,
    waiting,
)
from .sections import tables as other_tables

_HERE = Path(__file__).parent
_HEAD_SCRIPT = "theme.js"
_LONGEST_TEXT = 1_000

SECTIONS: tuple[Callable[[Report], Section | None], ...] = (
    overview.build,
    findings.build,
    passes.build,
    states.build,
    parallelism.build,
    timeline.build,
    processes.build,
    tasks.build,
    gil.build,
    locks.build,
    blocking.build,
    waiting.build,
    functions.build,
    flame.build,
    source.build,
    memory.build,
    cores.build,
    other_tables.build,
    artifacts.build,
    details.build,
)
"""What the page shows, in reading order; None where a run has nothing of the kind to show."""


def render_page(report: Report) -> str:
    """Render the whole page of a run."""
    sections = [section for build in SECTIONS if (section := build(report)) is not None]
    return fill(subject(report.target), report, sections)


def fill(title: str, about: Report | Comparison, sections: Sequence[Section]) -> str:
    """Put sections into a page; its head tells when and on which Python it ran."""
    style = _style()
    head, main = _script(_HEAD_SCRIPT), _scripts()
    page: str = (
        _templates()
        .get_template("page.html.j2")
        .render(
            title=printable(without_home(title)),
            report=about,
            sections=sections,
            policy=_policy(style, (head, main)),
            style=Markup(style),  # noqa: S704 - a file of this package
            head_script=Markup(head),  # noqa: S704 - a file of this package
            main_script=Markup(main),  # noqa: S704 - files of this package
            blocks={name: embed(data) for one in sections for name, data in one.data.items()},
            packed={name: _base64(text) for one in sections for name, text in one.packed.items()},
        )
    )
    return page


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:
    """Make every text printable, and none endless; None is refused: a page says it in words."""
    if value is None:
        raise TypeError("a template shows a value that is None")
    return printable(shorten(value, _LONGEST_TEXT)) if type(value) is str else value


def _style() -> str:
    files = sorted((_HERE / "static" / "css").glob("*.css"))
    return "\n".join(file.read_text("utf-8") for file in files)


def _script(name: str) -> str:
    return (_HERE / "static" / "js" / name).read_text("utf-8")


def _scripts() -> str:
    """Join the scripts in the order of their numbers; each is a function called at once."""
    files = sorted((_HERE / "static" / "js").glob("[0-9]*.js"))
    return "\n".join(file.read_text("utf-8") for file in files)


def _policy(style: str, scripts: tuple[str, ...]) -> str:
    """Allow exactly our own style and scripts by their hashes, and no request of any kind."""
    allowed = " ".join(_hash(one) for one in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def embed(data: Mapping[str, Any]) -> Markup:
    """Write data as JSON in which nothing can end a script element or start a comment."""
    text = json.dumps(_without_escapes(data), ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - every character that is markup was replaced above


def _base64(text: str) -> Markup:
    """Let a block of base64 into the page, and nothing else."""
    if not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text):
        raise ValueError("a packed block is not base64")
    return Markup(text)  # noqa: S704 - no character of base64 is markup


def _without_escapes(value: Any) -> Any:
    match value:
        case str():
            return printable(shorten(value, _LONGEST_TEXT))
        case Mapping():
            return {str(key): _without_escapes(one) for key, one in value.items()}
        case list() | tuple():
            return [_without_escapes(one) for one in value]
        case _:
            return value
