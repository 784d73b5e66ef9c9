"""Lay the interned tables of all processes together: equal functions and stacks become one row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from concurtrace.model.recording import Function
from concurtrace.model.spans import Numbers, Stacks


@dataclass
class LocalStacks:
    """Stacks of one file under its own ids: ``frames`` maps an id to (parent id, code id, line).

    Parent 0 is the outermost frame; a parent or code that is missing ends the stack there.
    """

    functions: dict[int, Function] = field(default_factory=dict)
    frames: dict[int, tuple[int, int, int]] = field(default_factory=dict)


class StackTable:
    """The stacks of a whole trace, while they are being collected."""

    def __init__(self) -> None:
        self._codes: dict[Function, int] = {Function("", 0, ""): 0}
        self._rows: dict[tuple[int, int, int], int] = {}

    def add(self, local: LocalStacks) -> Numbers:
        """Add the stacks of one file; return the row of each of its ids, by id (0 = none)."""
        codes = {number: self._code(function) for number, function in local.functions.items()}
        rows: dict[int, int] = {0: 0}
        for number in local.frames:
            self._resolve(number, local.frames, codes, rows)
        table = np.zeros(max(rows) + 1, np.uint32)
        table[list(rows)] = list(rows.values())
        return table

    def rows_of(self, functions: Mapping[int, Function]) -> Numbers:
        """Return the row of each function of one file, by its id (0 = none)."""
        table = np.zeros(max(functions, default=0) + 1, np.uint32)
        for number, function in functions.items():
            table[number] = self._code(function)
        return table

    def _code(self, function: Function) -> int:
        return self._codes.setdefault(function, len(self._codes))

    def _resolve(
        self,
        number: int,
        frames: Mapping[int, tuple[int, int, int]],
        codes: Mapping[int, int],
        rows: dict[int, int],
    ) -> None:
        waiting = []
        while number not in rows and number in frames:
            # Entered before it is known: a damaged file may hold a circle.
            rows[number] = 0
            waiting.append(number)
            number = frames[number][0]
        above = rows.get(number, 0)
        for one in reversed(waiting):
            _, code, line = frames[one]
            key = (above, codes.get(code, 0), line)
            above = rows[one] = self._rows.setdefault(key, len(self._rows) + 1)

    def finish(self) -> Stacks:
        """Return the table as columns."""
        keys = np.array([(0, 0, 0), *self._rows], np.uint32).reshape(-1, 3)
        return Stacks(keys[:, 0].copy(), keys[:, 1].copy(), keys[:, 2].copy(), tuple(self._codes))


def translate(table: Numbers, numbers: Numbers) -> Numbers:
    """Look numbers up in a table; those beyond its end (of a damaged file) become 0."""
    known = np.where(numbers < len(table), numbers, 0)
    return table[known]
