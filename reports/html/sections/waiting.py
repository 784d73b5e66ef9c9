"""Where threads waited: a flame graph of the time off the core, by state."""

from dataclasses import dataclass, field

import numpy as np

from concurtrace.model.recording import CallNode, CallTree, Function, ProcessKey
from concurtrace.model.report import Report
from concurtrace.model.states import STATES, Reason, State
from concurtrace.model.trace import Trace
from concurtrace.units import share_text, time_text

from ..._places import BUILTIN_FILE
from ..._states import words_of
from ..._words import absence
from ..section import Section
from .flame import Words, picture

_AT_WORK = (State.RUNNING, State.RUNNING_NOGIL)
_NOWHERE = Function(BUILTIN_FILE, 0, "no stack was taken")
_WORDS = Words(
    "waiting",
    "Flame graph of waits",
    "States",
    "Waits",
    (
        (
            "Every wait that was recorded singly is put to the stack that its thread stood at when"
            " it began; the width of a frame is how long the waits below it lasted together, over"
            " all threads. Time of threads adds up: four that wait one second each make four."
        ),
        "Expected waits of pool workers without work are left out.",
    ),
)


@dataclass
class _Node:
    """A frame while waits are added up."""

    function: Function
    ns: int = 0
    waits: int = 0
    callees: dict[Function, "_Node"] = field(default_factory=dict)


def build(report: Report) -> Section:
    """Show where threads waited."""
    trace, states = report.recording.trace, report.states
    title = "Where threads waited"
    if trace is None or states is None:
        missing = absence(report, "Where threads waited was", "states")
        return Section("waiting", title, absence=missing)
    sums = _by_state(trace)
    if not sums:
        return Section("waiting", title, "No wait was long enough to be recorded singly.")
    gil = report.environment.gil
    ranked = sorted(sums, key=lambda state: -sum(one.ns for one in sums[state].values()))
    key = ProcessKey(0, 0, "", "", 0, None)
    trees = [CallTree(key, 0, "", tuple(map(_frozen, sums[one].values()))) for one in ranked]
    labels = tuple(words_of(one, gil=gil).name for one in ranked)
    view, data = picture(report, trees, labels, _WORDS)
    times = [sum(root.total_ns for root in tree.roots) for tree in trees]
    answer = (
        f"Threads waited {time_text(sum(times))} together;"
        f" {share_text(times[0] / sum(times))} of it {labels[0]}."
    )
    return Section("waiting", title, answer, view, data={"waiting": data})


def _by_state(trace: Trace) -> dict[State, dict[Function, _Node]]:
    """Add the waits up by state and stack, outermost function first."""
    spans = trace.spans
    waits = ~spans.in_state(*_AT_WORK) & (spans.reason != Reason.IDLE_WORKER.code)
    keys = spans.state[waits].astype(np.int64) << 32 | spans.stack[waits].astype(np.int64)
    found, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    times = np.bincount(inverse, spans.dur_ns[waits], len(found))
    states: dict[State, dict[Function, _Node]] = {}
    rows = zip(found.tolist(), counts.tolist(), times.tolist(), strict=True)
    for key, count, ns in rows:
        if not ns:
            continue
        level = states.setdefault(STATES[key >> 32], {})
        frames = trace.stacks.frames(key & 0xFFFFFFFF)
        for function in [one.function for one in reversed(frames)] or [_NOWHERE]:
            node = level.setdefault(function, _Node(function))
            node.ns += int(ns)
            node.waits += count
            level = node.callees
    return states


def _frozen(root: _Node) -> CallNode:
    """Turn a tree into one of the model, callees first: stacks may be deeper than recursion."""
    order, made = [root], dict[int, CallNode]()
    for node in order:
        order.extend(node.callees.values())
    for node in reversed(order):
        callees = tuple(made[id(one)] for one in node.callees.values())
        made[id(node)] = CallNode(node.function, node.waits, node.ns, callees)
    return made[id(root)]
