"""Budgets: figures of a run's JSON that must not be above, or below, what is allowed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from concurtrace.errors import UsageError
from concurtrace.model.report import Severity

_KEYS = ("mode", "name", "rule", "from", "core", "pid", "tid")
"""What an entry of a list may be called by."""


class Bound(Enum):
    """On which side of its limit a figure has to stay."""

    MAX = "at most"
    MIN = "at least"


@dataclass(frozen=True)
class Budget:
    """A figure, by its path in the JSON, and its limit."""

    path: str
    bound: Bound
    limit: float

    def exceeded(self, document: Mapping[str, Any]) -> str | None:
        """Say what is wrong with the figure; None where it keeps to its limit.

        UsageError for a path that leads nowhere. What was not recorded keeps to no limit.
        """
        found = look_up(document, self.path)
        allowed = f"{self.bound.value} {self.limit:g} is allowed"
        if found is None:
            return f"{self.path} was not recorded, and {allowed}"
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise UsageError(f"{self.path} is no number, so it can have no limit.")
        wrong = found > self.limit if self.bound is Bound.MAX else found < self.limit
        return f"{self.path} is {found:g}, and {allowed}" if wrong else None


def look_up(document: Mapping[str, Any], path: str) -> Any:
    """Follow a path such as ``gil.held`` or ``comparison.modes.threads.speedup``."""
    found: Any = document
    for part in path.split("."):
        if found is None:
            return None
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, Sequence) and not isinstance(found, str):
            found = _entry(found, part, path)
        else:
            raise UsageError(f"There is no '{part}' in {path}: see the output of --format json.")
    return found


def _entry(entries: Sequence[Any], part: str, path: str) -> Any:
    for entry in entries:
        if isinstance(entry, Mapping) and any(str(entry.get(key)) == part for key in _KEYS):
            return entry
    if part.isdecimal() and int(part) < len(entries):
        return entries[int(part)]
    raise UsageError(f"Nothing is called '{part}' in {path}: see the output of --format json.")


def parse_budget(given: str, bound: Bound) -> Budget:
    """Read ``PATH=NUMBER``; UsageError where it is something else."""
    path, equals, limit = given.rpartition("=")
    try:
        return Budget(path, bound, float(limit if equals and path else "none"))
    except ValueError:
        raise UsageError(f"A limit is written PATH=NUMBER, not '{given}'.") from None


def findings_over(findings: Sequence[Mapping[str, Any]], given: str) -> str | None:
    """Say which findings are too many for ``warning=0``; None where they are not."""
    match = re.fullmatch(r"(warning|info|failed)=(\d{1,6})", given)
    if match is None:
        raise UsageError(f"--max-findings takes warning=N, info=N or failed=N, not '{given}'.")
    severity = Severity(match[1])
    found = [
        one["rule"]
        for one in findings
        if one["severity"] == severity.value and one["part_of"] is None
    ]
    if len(found) <= int(match[2]):
        return None
    return f"{len(found)} findings say {severity.value} ({', '.join(found)}), {match[2]} may"
