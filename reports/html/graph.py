"""A graph as a picture: nodes on a ring, arrows between them, words beside both; no script."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._text import shorten
from .chart import Path

WIDTH = 1040
_RING = 250
_RADIUS = 12
_LABEL = 36
"""Letters of a node's name that fit beside the ring."""
_HEAD = 9
_NODES = 12
_EDGES = 24
_ALONG = 0.4
"""How far along its arrow a label stands: in the middle those of many would lie on each other."""


@dataclass(frozen=True)
class Arrow:
    """An arrow from one node to another; ``weight`` 1 to 5 is how thick, ``strong`` how marked."""

    start: int
    end: int
    label: str
    weight: int = 1
    strong: bool = False


@dataclass(frozen=True)
class Node:
    """A node: its number, its place, its name and where that stands."""

    number: int
    x: int
    y: int
    name: str
    name_x: int
    name_y: int
    anchor: str


@dataclass(frozen=True)
class Edge:
    """An arrow as paths, and its label's place; ``look`` names its style."""

    line: Path
    head: Path
    look: str
    label: str
    x: int
    y: int


@dataclass(frozen=True)
class Picture:
    """The nodes and edges that are drawn, and how many edges are not."""

    height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int


def ring(names: Sequence[str], arrows: Iterable[Arrow]) -> Picture:
    """Draw arrows, the first ones first, as far as there is room; names are by number of node."""
    kept: list[Arrow] = []
    numbers: list[int] = []
    arrows = list(arrows)
    for one in arrows:
        fresh = [node for node in (one.start, one.end) if node not in numbers]
        if len(kept) < _EDGES and len(numbers) + len(fresh) <= _NODES:
            kept.append(one)
            numbers.extend(fresh)
    numbers.sort()
    half = 60 if len(numbers) < 3 else max(110, 44 * len(numbers) // 2)
    places = {node: _place(at, len(numbers), half) for at, node in enumerate(numbers)}
    nodes = tuple(_node(node + 1, names[node], *places[node], half) for node in numbers)
    edges = tuple(_edge(one, places[one.start], places[one.end]) for one in kept)
    return Picture(2 * half + 90, nodes, edges, len(arrows) - len(kept))


def _place(at: int, many: int, half: int) -> tuple[float, float]:
    """Place a node on the ring, the first at the left of two and at the top of more."""
    turn = math.pi if many <= 2 else -math.pi / 2
    angle = turn + 2 * math.pi * at / max(1, many)
    return WIDTH / 2 + _RING * math.cos(angle), 45 + half + half * math.sin(angle)


def _node(number: int, name: str, x: float, y: float, half: int) -> Node:
    side = 0 if abs(x - WIDTH / 2) < _RING / 4 else 1 if x > WIDTH / 2 else -1
    if side:
        name_x, name_y = x + side * (_RADIUS + 6), y + 4
    else:
        name_x, name_y = x, y + (_RADIUS + 16 if y > 45 + half else -_RADIUS - 8)
    anchor = {-1: "end", 0: "middle", 1: "start"}[side]
    name = shorten(name, _LABEL)
    return Node(number, round(x), round(y), name, round(name_x), round(name_y), anchor)


def _edge(one: Arrow, start: tuple[float, float], end: tuple[float, float]) -> Edge:
    """Bend an arrow to the right of its way, so that one back does not lie on it."""
    across, down = end[0] - start[0], end[1] - start[1]
    bend = 0.16
    turn = ((start[0] + end[0]) / 2 - down * bend, (start[1] + end[1]) / 2 + across * bend)
    begin = _toward(start, turn, _RADIUS + 2)
    stop = _toward(end, turn, _RADIUS + 2 + _HEAD)
    tip = _toward(end, turn, _RADIUS + 2)
    line = f"M{_point(begin)}Q{_point(turn)} {_point(stop)}"
    before, at, after = (1 - _ALONG) ** 2, 2 * _ALONG * (1 - _ALONG), _ALONG**2
    x, y = (before * a + at * b + after * c for a, b, c in zip(begin, turn, stop, strict=True))
    look = f"w{one.weight} strong" if one.strong else f"w{one.weight}"
    return Edge(Path(line), _head(stop, tip), look, one.label, round(x), round(y) + 4)


def _toward(a: tuple[float, float], b: tuple[float, float], far: float) -> tuple[float, float]:
    length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    return a[0] + (b[0] - a[0]) * far / length, a[1] + (b[1] - a[1]) * far / length


def _head(base: tuple[float, float], tip: tuple[float, float]) -> Path:
    across, down = (tip[0] - base[0]) / 2, (tip[1] - base[1]) / 2
    corners = ((base[0] - down, base[1] + across), (base[0] + down, base[1] - across))
    return Path(f"M{_point(tip)}L{_point(corners[0])}L{_point(corners[1])}Z")


def _point(at: tuple[float, float]) -> str:
    return f"{round(at[0])} {round(at[1])}"
