"""Make names, paths and messages fit to be shown: printable, short, without secrets."""

import re
from pathlib import Path

from concurtrace.model.masking import mask_shapes, mask_text

# Lone surrogates (bytes that are no UTF-8), control characters, and the characters that change
# the direction of the text around them (a name could otherwise rewrite what stands beside it).
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Write what a terminal or page would obey or refuse as an escape: ``\x1b``, ``\udcff``.

    What is a credential by its shape is masked: every text of every report comes by here.
    """
    return _UNPRINTABLE.sub(_escape, mask_shapes(text))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def shorten(text: str, limit: int) -> str:
    """Cut a text to ``limit`` characters in its middle; start and end say most about a name."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return text[: limit - 1 - tail] + "…" + (text[-tail:] if tail else "")


def shorten_path(text: str, limit: int) -> str:
    """Cut a path to ``limit`` characters at its start, between folders: its end says most."""
    if len(text) <= limit:
        return text
    end = text[len(text) - limit + 1 :]
    folder = end.find("/")
    return "…" + (end[folder:] if folder >= 0 else end)


def without_home(text: str) -> str:
    """Write the home directory as ``~``, wherever it stands in a text."""
    home = str(Path.home())
    if home == "/":
        return text
    return re.sub(re.escape(home) + r"(?=[/\s:;,'\")\]]|$)", "~", text)


def told(text: str) -> str:
    """Make what a target or the system said fit to be shown: no secrets, no home, no controls."""
    return printable(without_home(mask_text(text)))
