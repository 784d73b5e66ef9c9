"""Nest the calls of a trace: which are concurtrace's own, and the call tree of every thread."""

from __future__ import annotations

import bisect
import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from concurtrace.instruments._trace_file import Call, Trace
from concurtrace.model.recording import CallNode, CallTree, Function, ProcessKey

_PYTHON = re.compile(r"(.*) \((.*):(\d+)\)", re.S)
# Methods of the agent keep its books; its closures and functions call the program.
_BOOKS = re.compile(r"\w+\.\w+")
_STEP = "Handle._run ("
_LOOKED_AT = 100


class _Below(Enum):
    """What to do with the calls inside a call."""

    SHOW = "show"
    SHOW_PYTHON = "show what is written in Python"
    HIDE = "hide"


@dataclass
class _Node:
    """A node under construction."""

    name: str
    calls: int = 0
    total_ns: int = 0
    children: dict[str, _Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Nested:
    """The calls of a process that are the program's own, and its call trees."""

    calls: tuple[Call, ...]
    trees: tuple[CallTree, ...]


def nest(
    trace: Trace, process: ProcessKey, threads: Mapping[int, str], package: str, shortest_ns: int
) -> Nested:
    """Nest the calls of one process; ``package`` is the folder that concurtrace ran from.

    Trees count calls of at least ``shortest_ns``: of shorter ones only some were recorded. Tasks
    are in the tree of the thread that ran them.
    """
    nesting = _Nesting(package, shortest_ns)
    kept: list[Call] = []
    trees = []
    for thread, calls in sorted(_by_thread(trace, process.pid).items()):
        root = _Node("")
        kept.extend(nesting.add_up(calls, root))
        if root.children:
            name = threads.get(thread) or trace.threads.get(thread, f"thread {thread}")
            trees.append(CallTree(process, thread, name, _freeze(root)))
    return Nested(tuple(kept), tuple(trees))


class _Nesting:
    """Adds up calls by the stack that they were made from, without concurtrace's own."""

    def __init__(self, package: str, shortest_ns: int) -> None:
        self._package = package + "/"
        self._workloads = package + "/workloads/"
        self._shortest_ns = shortest_ns
        self._rules: dict[str, tuple[bool, _Below]] = {}

    def add_up(self, calls: list[Call], root: _Node) -> Iterator[Call]:
        """Grow the tree under ``root``; yield the calls that are the program's."""
        calls.sort(key=lambda call: (call.start_ns, -call.duration_ns))
        stack: list[tuple[int, _Node, _Below]] = []
        for call in calls:
            while stack and stack[-1][0] <= call.start_ns:
                stack.pop()
            node, below = stack[-1][1:] if stack else (root, _Below.SHOW)
            shown, inside = self._rule(call.name)
            if below is _Below.HIDE or (below is _Below.SHOW_PYTHON and _is_c(call.name)):
                stack.append((call.end_ns, node, _Below.HIDE))
                continue
            if shown:
                yield call
                if call.duration_ns < self._shortest_ns:
                    continue
                node = node.children.setdefault(call.name, _Node(call.name))
                node.calls += 1
                node.total_ns += call.duration_ns
            stack.append((call.end_ns, node, inside))

    def _rule(self, name: str) -> tuple[bool, _Below]:
        rule = self._rules.get(name)
        if rule is None:
            rule = self._rules[name] = self._make_rule(parse_name(name))
        return rule

    def _make_rule(self, function: Function) -> tuple[bool, _Below]:
        file = function.file
        if not file.startswith(self._package) or file.startswith(self._workloads):
            return True, _Below.SHOW
        keeps_books = _BOOKS.fullmatch(function.name) is not None
        return False, _Below.HIDE if keeps_books else _Below.SHOW_PYTHON


def _is_c(name: str) -> bool:
    return not name.endswith(")")


@functools.cache
def parse_name(name: str) -> Function:
    """Take viztracer's name of a function apart; functions written in C have no place."""
    python = _PYTHON.fullmatch(name)
    if python is None:
        return Function("~", 0, name)
    return Function(python[2], int(python[3]), python[1])


def _by_thread(trace: Trace, main_thread: int) -> dict[int, list[Call]]:
    """Collect the calls of every thread, those of its tasks among them."""
    tracks: dict[int, list[Call]] = defaultdict(list)
    for call in trace.calls:
        tracks[call.track].append(call)
    threads = {track: calls for track, calls in tracks.items() if track not in trace.tasks}
    steps = {
        thread: sorted(call for call in calls if call.name.startswith(_STEP))
        for thread, calls in threads.items()
    }
    for track in tracks.keys() & trace.tasks.keys():
        thread = _thread_of(tracks[track], steps, main_thread)
        threads.setdefault(thread, []).extend(tracks[track])
    return threads


def _thread_of(calls: Sequence[Call], steps: Mapping[int, Sequence[Call]], otherwise: int) -> int:
    """Tell which thread ran a task: the one whose event loop was at work during its calls."""
    fits: Counter[int] = Counter()
    for call in calls[:_LOOKED_AT]:
        for thread, runs in steps.items():
            at = bisect.bisect_right(runs, call.start_ns, key=lambda run: run.start_ns) - 1
            fits[thread] += at >= 0 and runs[at].end_ns >= call.end_ns
    best = fits.most_common(1)
    return best[0][0] if best and best[0][1] else otherwise


def _freeze(root: _Node) -> tuple[CallNode, ...]:
    """Turn a tree into values, longest first; a stack of Python may be deeper than ours may be."""
    done: dict[int, CallNode] = {}
    todo = [(child, False) for child in root.children.values()]
    while todo:
        node, visited = todo.pop()
        if not visited:
            todo.append((node, True))
            todo.extend((child, False) for child in node.children.values())
            continue
        below = (done.pop(id(child)) for child in node.children.values())
        done[id(node)] = CallNode(
            parse_name(node.name), node.calls, node.total_ns, _longest_first(below)
        )
    return _longest_first(done[id(child)] for child in root.children.values())


def _longest_first(nodes: Iterable[CallNode]) -> tuple[CallNode, ...]:
    return tuple(sorted(nodes, key=lambda node: -node.total_ns))
