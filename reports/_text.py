"""Make names, paths and arguments fit to be shown: printable, short, without secrets."""

import re
from pathlib import Path

MASK = "***"

# Lone surrogates (bytes that are no UTF-8), control characters, and the characters that change
# the direction of the text around them (a name could otherwise rewrite what stands beside it).
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SECRET = re.compile(r"token|password|passwd|passphrase|secret|credential|key", re.IGNORECASE)
_USER_INFO = re.compile(r"(?P<start>[a-z][a-z0-9+.-]*://[^/@\s:]*:)[^/@\s]+(?=@)", re.IGNORECASE)


def printable(text: str) -> str:
    r"""Write what a terminal or page would obey or refuse as an escape: ``\x1b``, ``\udcff``."""
    return _UNPRINTABLE.sub(_escape, text)


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


def mask_arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Mask the values of arguments whose name says that they are secret, and passwords in URLs."""
    masked = []
    hide_next = False
    for argument in arguments:
        name, equals, _value = argument.partition("=")
        is_option = argument.startswith("-")
        if hide_next and not argument.startswith("--"):
            masked.append(MASK)
            hide_next = False
            continue
        secret = bool(_SECRET.search(name)) and len(name.split()) == 1
        hide_next = secret and is_option and not equals
        hidden = f"{name}={MASK}" if secret and equals else argument
        masked.append(_USER_INFO.sub(rf"\g<start>{MASK}", hidden))
    return tuple(masked)
