"""What looks like a credential is neither stored nor shown: by its name, its place or its shape."""

import re

MASK = "***"

_CALLED = (
    r"(?:token|passw(?:or)?d|pwd|passphrase|(?<=[_-])pass(?![a-z])|secret|credential|cookie"
    r"|signature|auth(?!ors?(?![a-z]))|key)"
)
_SECRET = re.compile(_CALLED, re.IGNORECASE)
_VALUE = r"""(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"]*"|'[^']*'|[^\s,;&)"']+)"""
# In a command or code within one argument: --token abc, TOKEN=abc, password: "abc"; but no
# KeyError: 'abc'. Names have a limit, so that a text of any length takes time in proportion to it.
_NAMED = re.compile(
    rf"(?<![\w.-])(?P<name>--?[\w.-]{{0,60}}?{_CALLED}[\w.-]{{0,60}}(?:\s{{0,9}}=\s{{0,9}}|\s{{1,9}})"
    rf"|(?![\w.]*(?:error|exception|interrupt)\b)[\w.]{{0,60}}?{_CALLED}[\w.]{{0,60}}[\"']?"
    rf"\s{{0,9}}[=:]\s{{0,9}}(?:(?:bearer|basic)\s)?)"
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


def mask_shapes(text: str) -> str:
    """Mask what is a credential by its shape alone."""
    return _SHAPES.sub(MASK, text)


def mask_text(text: str) -> str:
    """Mask the values of what is called a secret in a text, passwords in URLs, and known shapes."""
    named = _NAMED.sub(rf"\g<name>{MASK}", mask_shapes(text))
    return _USER_INFO.sub(rf"\g<start>{MASK}", named)


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
