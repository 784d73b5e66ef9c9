"""Read what viztracer wrote in one process: Chrome's trace events, as compact tuples."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from concurtrace.errors import RunDataError
from concurtrace.instruments._files import decoding
from concurtrace.instruments.timeline import MARK

_BEGIN, _END = '{"traceEvents":[', '], "viztracer_metadata": {'
# viztracer writes names of processes, threads, tasks and functions as they are, without escapes.
_ODD_CALL = re.compile(
    r'"pid":\d+,"tid":(\d+),"ts":([\d.]+),"ph":"X","cat":"fee","dur":([\d.]+),"name":"(.*)"', re.S
)
_ODD_NAME = re.compile(
    r'"ph":"M","pid":\d+,"tid":(\d+),"name":"(process_name|thread_name)","args":\{"name":"(.*)"\}',
    re.S,
)


class Call(NamedTuple):
    """One call; ``track`` is a native thread id, or viztracer's number of an asyncio task."""

    track: int
    start_ns: int
    duration_ns: int
    name: str

    @property
    def end_ns(self) -> int:
        """When it returned."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True)
class Trace:
    """The trace of one process; ``threads`` and ``tasks`` name its tracks.

    ``complete`` tells whether viztracer traced until the end, ``overflow`` whether its oldest
    events are gone. Times are CLOCK_MONOTONIC.
    """

    calls: tuple[Call, ...]
    threads: Mapping[int, str]
    tasks: Mapping[int, str]
    complete: bool
    overflow: bool


def read_trace(path: Path) -> Trace:
    """Read one trace; RunDataError says what is damaged."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise RunDataError(f"{path} cannot be read: {error.strerror}.") from None
    with decoding(path):
        return _structure(_parse(text))


def _parse(text: str) -> dict[str, Any]:
    names: dict[str, str] = {}

    def compact(entry: dict[str, Any]) -> Any:
        if entry.get("ph") != "X":
            return entry
        name = names.setdefault(entry["name"], entry["name"])
        return Call(entry["tid"], round(entry["ts"] * 1e3), round(entry["dur"] * 1e3), name)

    decoder = json.JSONDecoder(object_hook=compact)
    try:
        document = decoder.decode(text)
    except json.JSONDecodeError:
        document = _parse_by_entry(text, decoder)
    if not isinstance(document, dict):
        raise TypeError("it is no object")
    return document


def _parse_by_entry(text: str, decoder: json.JSONDecoder) -> dict[str, Any]:
    begin, end = len(_BEGIN), text.rindex(_END)
    if not text.startswith(_BEGIN):
        raise ValueError(f"it does not begin with {_BEGIN}")
    entries = text[begin:end].removeprefix("{").removesuffix("}").split("},{")
    events = []
    for entry in entries:
        try:
            events.append(decoder.decode("{" + entry + "}"))
        except json.JSONDecodeError:
            events.append(_parse_odd(entry))
    return {
        "traceEvents": events,
        "viztracer_metadata": decoder.decode(text[end + len(_END) - 1 :].removesuffix("}")),
    }


def _parse_odd(entry: str) -> Any:
    call = _ODD_CALL.fullmatch(entry)
    if call is not None:
        track, start_us, duration_us, name = call.groups()
        return Call(int(track), round(float(start_us) * 1e3), round(float(duration_us) * 1e3), name)
    named = _ODD_NAME.fullmatch(entry)
    if named is None:
        raise ValueError(f"an entry is not readable: {entry[:80]}")
    return {"ph": "M", "tid": int(named[1]), "name": named[2], "args": {"name": named[3]}}


def _structure(document: dict[str, Any]) -> Trace:
    events = document["traceEvents"]
    # Processes and threads come before the calls, tasks after them.
    head = list(itertools.takewhile(_is_metadata, events))
    tail = list(itertools.takewhile(_is_metadata, reversed(events[len(head) :])))
    return Trace(
        calls=tuple(event for event in events if isinstance(event, Call)),
        threads=_names(head),
        tasks=_names(tail),
        complete=any(
            not isinstance(event, Call) and event.get("name") == MARK for event in reversed(events)
        ),
        overflow=bool(document["viztracer_metadata"]["overflow"]),
    )


def _is_metadata(event: Any) -> bool:
    return not isinstance(event, Call) and event["ph"] == "M"


def _names(entries: list[dict[str, Any]]) -> dict[int, str]:
    return {
        int(entry["tid"]): str(entry["args"]["name"])
        for entry in entries
        if entry["name"] == "thread_name"
    }
