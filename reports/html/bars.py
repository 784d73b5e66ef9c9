"""Bars that show how time divides among states: a colour and a pattern for each, no script."""

from collections.abc import Mapping
from dataclasses import dataclass

from concurtrace.model.states import State

from .._states import Words, ordered, words_of
from .chart import WIDTH, Path

HEIGHT = 18
_SWATCH = 20
_STEP = 12


@dataclass(frozen=True)
class Part:
    """A piece of a bar: its colour's name, its box, and the marks over it."""

    token: str
    box: Path
    marks: Path


def stack(states: Mapping[State, int], *, gil: bool) -> tuple[Part, ...]:
    """Lay states side by side over the whole width; what is below a thousandth is not drawn."""
    whole, before, parts = sum(states.values()), 0, []
    for state, ns in ordered(states):
        left, right = (round(WIDTH * at / whole) for at in (before, before + ns))
        before += ns
        if right > left:
            parts.append(part(words_of(state, gil=gil), left, right, HEIGHT))
    return tuple(parts)


def row(lane: tuple[tuple[State, int], ...], *, gil: bool) -> tuple[Part, ...]:
    """Lay states side by side in the order in which they happened."""
    whole, before, parts = sum(length for _, length in lane), 0, []
    for state, length in lane:
        left, right = (round(WIDTH * at / whole) for at in (before, before + length))
        before += length
        if right > left:
            parts.append(part(words_of(state, gil=gil), left, right, HEIGHT))
    return tuple(parts)


def swatch(words: Words) -> Part:
    """Draw a state's colour and pattern for a legend, in a box of 20 by 20."""
    return part(words, 0, _SWATCH, _SWATCH)


def part(words: Words, left: int, right: int, height: int = HEIGHT) -> Part:
    """Draw a piece of a bar from ``left`` to ``right``, in its colour and pattern."""
    box = Path(f"M{left} 0H{right}V{height}H{left}Z")
    return Part(words.token, box, marks(words.pattern, left, right, height))


def marks(pattern: str, left: int, right: int, height: int) -> Path:
    """Draw a pattern inside a box; empty for ``solid``."""
    match pattern:
        case "slash":
            lines = _slanted(left, right, height, 1)
        case "backslash":
            lines = _slanted(left, right, height, -1)
        case "cross":
            lines = [*_slanted(left, right, height, 1), *_slanted(left, right, height, -1)]
        case "bars":
            lines = [f"M{x} 0V{height}" for x in range(left + 2, right, _STEP // 2)]
        case "lines":
            lines = [f"M{left} {height * n // 4}H{right}" for n in (1, 2, 3)]
        case "dots":
            rows = range(3, height, 6)
            lines = [f"M{x} {y}h2" for x in range(left + 2, right - 1, 8) for y in rows]
        case _:
            lines = []
    return Path("".join(lines))


def _slanted(left: int, right: int, height: int, way: int) -> list[str]:
    """Draw lines that rise (1) or fall (-1) to the right, cut at the box's edges."""
    found = []
    for start in range(left - left % _STEP - height - _STEP, right, _STEP):
        first, last = max(left, start), min(right, start + height)
        if last > first:
            from_y, to_y = first - start, last - start
            if way == 1:
                from_y, to_y = height - from_y, height - to_y
            found.append(f"M{first} {from_y}L{last} {to_y}")
    return found
