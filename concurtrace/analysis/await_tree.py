"""Who awaits whom: tasks as a tree, those of one coroutine in one place of it together."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from concurtrace.model.task_report import AwaitNode
from concurtrace.model.tasks import NOBODY, TaskState

if TYPE_CHECKING:
    from concurtrace.analysis.tasks import TaskFigures

_DEEPEST = 20
_BROADEST = 20
"""Children of a node beyond those are told together."""
_OTHERS = "other tasks"


@dataclass
class _Node:
    count: int = 0
    states: Counter[TaskState] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    children: dict[str, _Node] = field(default_factory=lambda: defaultdict(_Node))


def await_tree(figures: TaskFigures) -> tuple[AwaitNode, ...]:
    """Build the tree: below a task are those that it awaits, or else those that it made."""
    found, root = figures.trace.tasks, _Node()
    above = [
        waiter if waiter != NOBODY else parent
        for waiter, parent in zip(found.waiter.tolist(), found.parent.tolist(), strict=True)
    ]
    nodes: dict[int, _Node] = {}
    for row in range(len(found)):
        node = _node(row, above, nodes, root, figures)
        node.count += int(found.count[row])
        node.states.update(figures.states_of(row))
        place = figures.places.of(int(found.waits_at[row]))
        if place is not None:
            node.places[place] += int(figures.states[TaskState.AWAITING][row])
    return _finish(root)


def _node(
    row: int, above: list[int], nodes: dict[int, _Node], root: _Node, figures: TaskFigures
) -> _Node:
    chain: list[int] = []
    # Tasks can await each other in a circle.
    while row != NOBODY and row not in nodes and row not in chain and len(chain) < _DEEPEST:
        chain.append(row)
        row = above[row]
    node = nodes.get(row, root)
    for one in reversed(chain):
        node = nodes[one] = node.children[figures.coroutine(one)]
    return node


def _finish(node: _Node) -> tuple[AwaitNode, ...]:
    ranked = sorted(
        node.children.items(), key=lambda item: (-sum(item[1].states.values()), item[0])
    )
    rest = _Node()
    for _, one in ranked[_BROADEST:]:
        rest.count += one.count
        rest.states.update(one.states)
    shown = ranked[:_BROADEST] + ([(_OTHERS, rest)] if rest.count else [])
    return tuple(
        AwaitNode(
            name,
            one.count,
            dict(one.states),
            next((place for place, _ in one.places.most_common(1)), ""),
            _finish(one),
        )
        for name, one in shown
    )
