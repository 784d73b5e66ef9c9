"""Where threads ran and where they waited, as a profile for speedscope.app: one view per thread.

The format: https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources.
"""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from concurtrace.model.masking import mask_text
from concurtrace.model.recording import CallNode
from concurtrace.model.report import Report
from concurtrace.model.spans import Small, Times
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import Trace

from ._places import Places, name_of
from ._states import words_of
from ._text import printable, shorten
from ._threads import process_name, thread_name
from ._words import absence, subject

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_NAME = 200
_SHOWN = 200
"""Threads with a profile of their own; those that did most."""

Stack = tuple[int, ...]


class Speedscope:
    """JSON; each profile is a list of stacks with how long each lasted, in ns."""

    name = "speedscope"
    suffix = ".speedscope.json"

    def render(self, report: Report) -> str:
        """Write the profiles: running and waiting by state, then the exact calls of functions."""
        maker = _Maker(report)
        profiles = [*maker.of_states(), *maker.of_calls()]
        if not profiles:
            missing = absence(report, "Where threads ran and waited was", "states")
            stack = (maker.frame(f"{missing.why} {missing.advice} {missing.command}"),)
            profiles = [_profile("nothing was recorded", {stack: 1})]
        document = {
            "$schema": _SCHEMA,
            "exporter": f"concurtrace {report.environment.concurtrace}",
            "name": printable(subject(report.target)),
            "activeProfileIndex": 0,
            "shared": {"frames": maker.frames},
            "profiles": profiles,
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


class _Maker:
    """Gathers frames, each once, and makes profiles of stacks of them."""

    def __init__(self, report: Report) -> None:
        self.frames: list[dict[str, Any]] = []
        self._report = report
        self._places = Places.of(report)
        self._numbers: dict[tuple[str, str, int], int] = {}
        self._stacks: dict[int, Stack] = {0: ()}

    def frame(self, name: str, file: str = "", line: int = 0) -> int:
        """Return the number of a frame."""
        key = (shorten(printable(name), _NAME), file, line)
        if key not in self._numbers:
            self._numbers[key] = len(self.frames)
            place = {"file": self._places.file(file), "line": line} if file else {}
            self.frames.append({"name": key[0], **place})
        return self._numbers[key]

    def of_states(self) -> Iterable[dict[str, Any]]:
        """Make a profile of every thread: its states, and where it stood in each."""
        trace, states = self._report.recording.trace, self._report.states
        if trace is None or states is None:
            return
        named = {
            first.first + number: f"{thread_name(one)} in {process_name(process)}"
            for first, process in zip(trace.processes, states.processes, strict=True)
            for number, one in enumerate(process.threads)
        }
        busiest = sorted(named, key=lambda row: -len(trace.spans_of(trace.threads[row])))
        for row in sorted(busiest[:_SHOWN]):
            weights = self._waits(trace, row)
            if weights:
                yield _profile(f"{named[row]}: states", weights)

    def _waits(self, trace: Trace, row: int) -> dict[Stack, int]:
        """Add up the spans of a thread by state and stack; where it ran is known by samples."""
        thread, found = trace.threads[row], dict[Stack, int]()
        spans = trace.spans_of(thread)
        stacks, times = spans.stack.astype(np.int64), spans.dur_ns
        samples = trace.samples
        running = spans.in_state(State.RUNNING, State.RUNNING_NOGIL)
        if samples is not None:
            mine = samples.take(samples.tid == thread.tid)
            sampled = mine.state[:, None] == [State.RUNNING.code, State.RUNNING_NOGIL.code]
            mine = mine.take(sampled.any(axis=1))
            self._split(found, mine.state, mine.stack.astype(np.int64), mine.weight_ns)
        # What no sample saw of a state has no stack.
        for code in np.unique(spans.state[running]).tolist():
            known = sum(ns for stack, ns in found.items() if stack[0] == self._state(code))
            rest = int(times[spans.state == code].sum()) - known
            if rest > 0:
                stack = (self._state(code),)
                found[stack] = found.get(stack, 0) + rest
        self._split(found, spans.state[~running], stacks[~running], times[~running])
        return found

    def _split(self, into: dict[Stack, int], states: Small, stacks: Times, times_ns: Times) -> None:
        """Add times up by state and stack."""
        keys, inverse = np.unique(np.stack((states, stacks)), axis=1, return_inverse=True)
        sums = np.bincount(inverse.ravel(), times_ns, keys.shape[1])
        for (code, row), ns in zip(keys.T.tolist(), sums.tolist(), strict=True):
            stack = (self._state(code), *self._stack(row))
            into[stack] = into.get(stack, 0) + int(ns)

    def _state(self, code: int) -> int:
        words = words_of(STATES[code], gil=self._report.environment.gil)
        return self.frame(words.name)

    def _stack(self, row: int) -> Stack:
        """Return the frames of a stack of the trace, outermost first."""
        if row not in self._stacks:
            trace = self._report.recording.trace
            frames = trace.stacks.frames(row) if trace is not None else ()
            self._stacks[row] = tuple(
                self.frame(one.function.name, one.function.file, one.line)
                for one in reversed(frames)
            )
        return self._stacks[row]

    def of_calls(self) -> Iterable[dict[str, Any]]:
        """Make a profile of every thread's exact calls, waiting included."""
        timeline = self._report.recording.timeline
        for tree in timeline.trees[:_SHOWN] if timeline else ():
            found: dict[Stack, int] = {}
            todo: list[tuple[CallNode, Stack]] = [(root, ()) for root in tree.roots]
            while todo:
                node, callers = todo.pop()
                function = node.function
                stack = (*callers, self.frame(name_of(function), function.file, function.line))
                own = max(0, node.total_ns - sum(one.total_ns for one in node.children))
                found[stack] = found.get(stack, 0) + own
                todo.extend((one, stack) for one in node.children)
            name = f"{tree.thread} in {mask_text(tree.process.name)} ({tree.process.pid}): calls"
            if any(found.values()):
                yield _profile(shorten(printable(name), _NAME), found)


def _profile(name: str, weights: dict[Stack, int]) -> dict[str, Any]:
    """Write a profile: every stack once, those that lasted longest first."""
    ranked = sorted(weights.items(), key=lambda one: (-one[1], one[0]))
    kept = [(stack, ns) for stack, ns in ranked if ns]
    return {
        "type": "sampled",
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(ns for _, ns in kept),
        "samples": [list(stack) for stack, _ in kept],
        "weights": [ns for _, ns in kept],
    }


RENDERER = Speedscope()
