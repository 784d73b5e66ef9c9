"""Messages between processes as the pass of functions counted them."""

import re
from dataclasses import dataclass

from concurtrace.model.recording import FunctionTable
from concurtrace.model.report import Report, StatesReport
from concurtrace.model.trace import Trace
from concurtrace.units import count_text, size_text, time_text

from ..._places import Places
from ..._threads import process_name
from ..naming import frame_text, telling
from ._labels import process_label

_CONNECTION = re.compile(r"/multiprocessing/(connection|reduction)\.py$")
_REPEATED = 5
_UNPACKS = "<built-in method _pickle.loads>"


@dataclass(frozen=True)
class Counted:
    """What one process sent and received, each as a number and the time it took."""

    process: str
    packed: tuple[str, str]
    sent: tuple[str, str]
    received: tuple[str, str]
    unpacked: tuple[str, str]
    keys: tuple[int, ...]


def counted(report: Report) -> tuple[Counted, ...]:
    """Count the messages of every process that passed any, who spent most on them first.

    Empty where functions were not counted.
    """
    profile = report.recording.functions
    if profile is None:
        return ()
    sums: dict[str, list[list[int]]] = {}
    for table in profile.tables:
        mine = sums.setdefault(process_label(table.process), [[0, 0] for _ in range(4)])
        for number, calls, ns in _steps(table):
            mine[number][0] += calls
            mine[number][1] += ns
    passed = [(name, four) for name, four in sums.items() if any(n for n, _ in four)]
    passed.sort(key=lambda one: -sum(ns for _, ns in one[1]))
    return tuple(_told(name, four) for name, four in passed)


def large_messages(report: Report, trace: Trace, states: StatesReport) -> tuple[str, ...]:
    """Say how much was sent in large messages, and what of it was sent more than once."""
    found = trace.messages
    if not found.large_bytes:
        return ()
    places = Places.of(report)
    ranked = sorted(found.repeated, key=lambda one: -one.length * (one.count - 1))[:_REPEATED]
    said = [f"Messages of 64 KiB and more held {size_text(found.large_bytes)} together."]
    for one in ranked:
        frames = trace.stacks.frames(one.stack)
        at = f" at {frame_text(telling(frames, places), places)}" if frames else ""
        who = process_name(states.processes[one.process])
        said.append(
            f"{who} sent the same {size_text(one.length)} {count_text(one.count)} times{at}."
        )
    return tuple(said)


def _steps(table: FunctionTable) -> list[tuple[int, int, int]]:
    """List the steps of a message in a table: packed, sent, received, unpacked."""
    found = []
    for row in table.stats:
        name = row.function.name.rpartition(".")[2]
        if row.function.name == _UNPACKS:
            found.append((3, row.calls, row.total_ns))
        elif _CONNECTION.search(row.function.file):
            place = {"dumps": 0, "_send_bytes": 1, "_recv_bytes": 2}.get(name)
            if place is not None:
                found.append((place, row.calls, row.total_ns))
    return found


def _told(name: str, four: list[list[int]]) -> Counted:
    texts = [(count_text(calls), time_text(ns) if calls else "0") for calls, ns in four]
    keys = tuple(number for pair in four for number in pair)
    return Counted(name, texts[0], texts[1], texts[2], texts[3], keys)
