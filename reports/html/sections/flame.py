"""Flame graph: where the time of every thread went, from the call trees of the timeline.

The drawing is shared with the flame graph of waits: call trees come from either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from concurtrace.model.recording import CallNode, CallTree, Function
from concurtrace.model.report import Report
from concurtrace.units import count_text, share_text, time_text

from ..._places import Places, name_of
from ..._scale import Scale
from ..._text import shorten
from ..._words import absence
from ..section import Section
from ._labels import thread_labels

NODES = 6_000
"""How many frames the page holds, the longest first; the rest are told by number. So many take some
130 KB, and are far more than a picture of one width has pixels for in its rows."""
_LISTED = 30
_NAME_LIMIT = 160
_PATH = 5


@dataclass(frozen=True)
class Node:
    """A frame in its place: its tree, its parent's index in the same list, and its own time."""

    tree: int
    parent: int | None
    depth: int
    node: CallNode
    own_ns: int
    rank_ns: int


@dataclass(frozen=True)
class Row:
    """A frame of the table: the path that leads to it, outermost first."""

    name: str
    place: str
    thread: str
    path: str
    calls: str
    own: str
    share: str
    total: str


@dataclass(frozen=True)
class View:
    """The frames with most own time as a table, what the picture leaves out, and its words.

    ``prefix`` begins the ids of its elements; ``choice`` says what its trees are, ``counted`` what
    is counted of a frame.
    """

    unit: str
    rows: tuple[Row, ...]
    threads: tuple[str, ...]
    note: str
    prefix: str
    title: str
    choice: str
    counted: str
    method: tuple[str, ...]


def build(report: Report) -> Section:
    """Show the call trees."""
    timeline = report.recording.timeline
    trees = [tree for tree in timeline.trees if tree.roots] if timeline else []
    if not trees:
        return Section(
            "flame", "Flame graph", absence=absence(report, "Call stacks were", "timeline")
        )
    trees.sort(key=_time_ns, reverse=True)
    labels = thread_labels((tree.process, tree.thread) for tree in trees)
    nodes = list(_walk(trees))
    whole = sum(map(_time_ns, trees))
    view, data = picture(report, trees, labels, _WORDS)
    return Section("flame", "Flame graph", _answer(nodes, trees, whole), view, data={"flame": data})


@dataclass(frozen=True)
class Words:
    """What a flame graph is called, what its trees and counts are, and how it was measured."""

    prefix: str
    title: str
    choice: str
    counted: str
    method: tuple[str, ...]


_WORDS = Words(
    "flame",
    "Flame graph",
    "Threads",
    "Calls",
    (
        (
            "Built from the exact calls of the timeline pass, not from samples. The width of a"
            " frame is the time between its start and its end, waiting included; a frame stands"
            " below its caller. Frames of one caller are ordered by length, not by time."
        ),
    ),
)


def picture(
    report: Report, trees: list[CallTree], labels: tuple[str, ...], words: Words
) -> tuple[View, dict[str, Any]]:
    """Make the picture of some trees: what the template shows, and the data of the script."""
    nodes = list(_walk(trees))
    whole = sum(map(_time_ns, trees))
    kept = _longest(nodes)
    left_out = len(nodes) - len(kept)
    places = Places.of(report)
    note = f"{count_text(left_out)} shorter frames are left out: their time is their callers'."
    view = View(
        *_table(nodes, labels, whole, places),
        labels,
        note if left_out else "",
        words.prefix,
        words.title,
        words.choice,
        words.counted,
        words.method,
    )
    data = _data(nodes, kept, labels, places)
    return view, {**data, "all": words.choice.lower(), "counted": words.counted.lower()}


def _time_ns(tree: CallTree) -> int:
    return sum(root.total_ns for root in tree.roots)


def _walk(trees: list[CallTree]) -> Iterator[Node]:
    """Give every frame, callers before callees, the longest of one caller first."""
    count = 0
    for number, tree in enumerate(trees):
        roots = sorted(tree.roots, key=lambda one: one.total_ns)
        todo: list[tuple[CallNode, int | None, int, int]] = [
            (root, None, 0, root.total_ns) for root in roots
        ]
        while todo:
            node, parent, depth, limit_ns = todo.pop()
            children_ns = sum(child.total_ns for child in node.children)
            rank_ns = min(node.total_ns, limit_ns)
            yield Node(number, parent, depth, node, max(0, node.total_ns - children_ns), rank_ns)
            children = sorted(node.children, key=lambda one: one.total_ns)
            todo.extend((child, count, depth + 1, rank_ns) for child in children)
            count += 1


def _longest(nodes: list[Node]) -> list[int]:
    """Choose the frames to keep: never one without its callers, which rank no lower."""
    chosen = nlargest(NODES, range(len(nodes)), key=lambda index: (nodes[index].rank_ns, -index))
    return sorted(chosen)


def _answer(nodes: list[Node], trees: list[CallTree], whole: int) -> str:
    top = max(nodes, key=lambda one: one.own_ns)
    where = "one thread" if len(trees) == 1 else f"{len(trees)} threads"
    name = shorten(name_of(top.node.function), 80)
    share = share_text(top.own_ns / whole) if whole else "0 %"
    return (
        f"{where.capitalize()} with {time_text(whole)} of calls; the frame with most own time is"
        f" {name} with {share}."
    )


def _table(
    nodes: list[Node], labels: tuple[str, ...], whole: int, places: Places
) -> tuple[str, tuple[Row, ...]]:
    top = nlargest(_LISTED, nodes, key=lambda one: one.own_ns)
    scale = Scale.for_times(one.node.total_ns for one in top)
    rows = tuple(
        Row(
            name=_name(one.node.function),
            place=places.function(one.node.function),
            thread=labels[one.tree],
            path=_path(one, nodes),
            calls=count_text(one.node.calls),
            own=scale.text(one.own_ns),
            share=share_text(one.own_ns / whole) if whole else "not known",
            total=scale.text(one.node.total_ns),
        )
        for one in top
        if one.own_ns
    )
    return scale.unit, rows


def _path(one: Node, nodes: list[Node]) -> str:
    names: list[str] = []
    parent = one.parent
    while parent is not None:
        names.append(shorten(name_of(nodes[parent].node.function), 40))
        parent = nodes[parent].parent
    shown = names[:_PATH][::-1]
    start = "… > " if len(names) > _PATH else ""
    return start + " > ".join(shown) if shown else "nothing: it is the outermost"


def _name(function: Function) -> str:
    return shorten(name_of(function), _NAME_LIMIT)


def _data(
    nodes: list[Node], kept: list[int], labels: tuple[str, ...], places: Places
) -> dict[str, Any]:
    """Lay the frames out for the script: columns in order of the walk, names once."""
    numbers: dict[Function, int] = {}
    columns: list[dict[str, list[int]]] = [
        {"function": [], "depth": [], "calls": [], "total": [], "own": []} for _ in labels
    ]
    for index in kept:
        one = nodes[index]
        column = columns[one.tree]
        column["function"].append(numbers.setdefault(one.node.function, len(numbers)))
        column["depth"].append(one.depth)
        column["calls"].append(one.node.calls)
        column["total"].append(one.node.total_ns)
        column["own"].append(one.own_ns)
    functions = [[_name(one), places.function(one), places.origin(one).value] for one in numbers]
    return {"functions": functions, "threads": labels, "trees": columns}
