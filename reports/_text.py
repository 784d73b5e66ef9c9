"""Make names, paths and arguments fit to be shown: printable, short, without secrets."""

import re
from pathlib import Path

MASK = "***"

# Lone surrogates (bytes that are no UTF-8), control characters, and the characters that change
# the direction of the text around them (a name could otherwise rewrite what stands beside it).
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_CALLED = (
    r"(?:token|passw(?:or)?d|pwd|passphrase|secret|credential|cookie"
    r"|auth(?!ors?(?![a-z]))|key)"
)
_SECRET = re.compile(_CALLED, re.IGNORECASE)
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s,;&)"']+)"""
# In a command or code within one argument: --token abc, TOKEN=abc, password: "abc". Names have a
# limit, so that a text of any length takes time in proportion to it.
_NAMED = re.compile(
    rf"(?<![\w.-])(?P<name>--?[\w.-]{{0,60}}?{_CALLED}[\w.-]{{0,60}}(?:\s{{0,9}}=\s{{0,9}}|\s{{1,9}})"
    rf"|[\w.]{{0,60}}?{_CALLED}[\w.]{{0,60}}[\"']?\s{{0,9}}[=:]\s{{0,9}}(?:(?:bearer|basic)\s)?)"
    rf"{_VALUE}",
    re.IGNORECASE,
)
_USER_INFO = re.compile(
    r"(?P<start>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://[^/@\s:]*:)[^/@\s]+(?=@)", re.IGNORECASE
)
_USER_OPTIONS = ("-u", "-U", "--user", "--proxy-user")
_GLUED = re.compile(r"(?:.*/)?(?:mysql|mariadb|sshpass)[\w-]*$")
"""Programs whose ``-p`` has the password right behind it, or as the next argument."""

# Credentials that are known by their shape alone, wherever they stand: cloud and hub keys, signed
# web tokens, private keys.
_SHAPES = re.compile(
    r"\b(?:gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
    r"|sk-[\w-]{20,}|[sr]k_live_\w{16,}|A(?:KIA|SIA)[0-9A-Z]{16}\b|AIza[\w-]{35}|pypi-[\w-]{40,}"
    r"|npm_\w{30,}|hf_\w{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
)


def printable(text: str) -> str:
    r"""Write what a terminal or page would obey or refuse as an escape: ``\x1b``, ``\udcff``.

    What is a credential by its shape is masked: every text of every report comes by here.
    """
    return _UNPRINTABLE.sub(_escape, _SHAPES.sub(MASK, text))


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


def mask_text(text: str) -> str:
    """Mask the values of what is called a secret in a text, and passwords in URLs."""
    named = _NAMED.sub(rf"\g<name>{MASK}", text)
    return _USER_INFO.sub(rf"\g<start>{MASK}", named)


def told(text: str) -> str:
    """Make what a target or the system said fit to be shown: no secrets, no home, no controls."""
    return printable(without_home(mask_text(text)))


def mask_arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Mask arguments that look like credentials: by the name before them, or as in a URL."""
    masked: list[str] = []
    before = ""
    glued = any(_GLUED.match(one) for one in arguments[:1])
    for argument in arguments:
        masked.append(_masked(argument, before, glued=glued))
        before = argument
    return tuple(masked)


def _masked(argument: str, before: str, *, glued: bool) -> str:
    """Mask one argument, knowing the one before it."""
    if not argument.startswith("--") and _takes_secret(before, glued=glued):
        return MASK
    if before in _USER_OPTIONS and ":" in argument:
        return f"{argument.partition(':')[0]}:{MASK}"
    if glued and re.match(r"-p.", argument):
        return f"-p{MASK}"
    name, equals, _ = argument.partition("=")
    if equals and _SECRET.search(name) and len(name.split()) == 1:
        return f"{name}={MASK}"
    return mask_text(argument)


def _takes_secret(option: str, *, glued: bool) -> bool:
    """Whether the argument behind an option is a secret."""
    if glued and option == "-p":
        return True
    return option.startswith("-") and "=" not in option and bool(_SECRET.search(option))
