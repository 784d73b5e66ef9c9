"""In which order locks were taken: as a picture, and as a table."""

import re
from dataclasses import dataclass

from concurtrace.model.lock_report import LockStep
from concurtrace.model.trace import Trace

from ..._places import Places
from ..graph import Arrow, Picture, ring
from ..naming import object_text

_ORDERS = 40
_FOLDERS = re.compile(r"[^\s(]*/")
_SIGN = "▲ circle"

_Key = tuple[int, str]


@dataclass(frozen=True)
class Order:
    """A lock that was taken while another was held; ``circle`` says that a deadlock can come.

    Locks made at one line are one, but for those in circles; ``pairs`` counts them.
    """

    held: str
    taken: str
    where: str
    pairs: str
    circle: bool


@dataclass(frozen=True)
class Told:
    """The orders, those in circles first, the picture of them, and how many are not listed."""

    orders: tuple[Order, ...]
    picture: Picture
    note: str
    circles: bool


def order_of_locks(trace: Trace, steps: tuple[LockStep, ...], places: Places) -> Told:
    """Tell which locks were taken while which were held."""
    single = {row for one in steps if one.circle for row in (one.held, one.taken)}
    merged: dict[tuple[_Key, _Key, str, bool], int] = {}
    for one in steps:
        held, taken = (_key(trace, row, single, places) for row in (one.held, one.taken))
        if held != taken:
            key = (held, taken, one.where, one.circle)
            merged[key] = merged.get(key, 0) + 1
    locks = dict.fromkeys(lock for held, taken, _, _ in merged for lock in (held, taken))
    numbers = {lock: number for number, lock in enumerate(locks)}
    files = {place[0] for _, _, where, _ in merged if (place := places.parts(where))}
    arrows = [
        Arrow(numbers[held], numbers[taken], _label(where, files, circle), 2, circle)
        for held, taken, where, circle in merged
    ]
    orders = tuple(
        Order(
            f"{numbers[held] + 1}: {held[1]}",
            f"{numbers[taken] + 1}: {taken[1]}",
            places.where(where) if where else "not known",
            str(count),
            circle,
        )
        for (held, taken, where, circle), count in merged.items()
    )
    left = len(orders) - _ORDERS
    return Told(
        orders[:_ORDERS],
        ring([_short(name) for _, name in locks], arrows),
        f"{left} more orders are not listed." if left > 0 else "",
        any(one.circle for one in steps),
    )


def _key(trace: Trace, row: int, single: set[int], places: Places) -> _Key:
    """Tell locks apart by their names; those in circles singly."""
    return (row if row in single else 0, object_text(trace, trace.objects[row], places))


def _short(name: str) -> str:
    """Leave out folders, and that it was made: there is little room in a picture."""
    return _FOLDERS.sub("", name).replace(", made in ", ": ")


def _label(where: str, files: set[str], circle: bool) -> str:
    """Name the line; its file only where there are several."""
    match = re.search(r"([^/]*):(\d+) in ", where)
    line = ""
    if match:
        line = f"line {match[2]}" if len(files) == 1 else f"{match[1]}:{match[2]}"
    return f"{_SIGN} {line}".rstrip() if circle else line
