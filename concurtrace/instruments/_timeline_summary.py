"""Keep what was made of the traces beside the merged file: reading them again takes seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from concurtrace.model.recording import (
    CallNode,
    CallTree,
    Function,
    Loss,
    ProcessKey,
    Timeline,
)

_FORMAT = 1

Origin = list[Any]


def fingerprint(folder: Path) -> Origin:
    """Tell the files of a folder by name, size and time of change."""
    if not folder.is_dir():
        return []
    found = ((path.name, path.stat()) for path in folder.iterdir())
    return sorted([name, stat.st_size, stat.st_mtime_ns] for name, stat in found)


def dump(timeline: Timeline, origin: Origin) -> bytes:
    """Write a timeline down; trees as lists of nodes, each followed by what is below it."""
    functions: dict[Function, int] = {}
    document = {
        "format": _FORMAT,
        "origin": origin,
        "events": timeline.events,
        "budget": timeline.budget,
        "dropped": timeline.dropped,
        "min_duration_ns": timeline.min_duration_ns,
        "losses": [[loss.what, loss.reason] for loss in timeline.losses],
        "notes": timeline.notes,
        "trees": [
            {
                "process": asdict(tree.process),
                "tid": tree.tid,
                "thread": tree.thread,
                "nodes": _flatten(tree.roots, functions),
            }
            for tree in timeline.trees
        ],
    }
    document["functions"] = [[one.file, one.line, one.name] for one in functions]
    return json.dumps(document, separators=(",", ":")).encode()


def load(path: Path, file: str, origin: Origin) -> Timeline | None:
    """Read a timeline that ``dump`` wrote; None if there is none of this origin, or it is damaged.

    Then it can be made anew from the traces.
    """
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT or document["origin"] != origin:
            return None
        functions = [Function(*one) for one in document["functions"]]
        return Timeline(
            file=file,
            events=document["events"],
            budget=document["budget"],
            dropped=document["dropped"],
            min_duration_ns=document["min_duration_ns"],
            trees=tuple(_tree(one, functions) for one in document["trees"]),
            losses=tuple(Loss(*loss) for loss in document["losses"]),
            notes=tuple(document["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _flatten(roots: Iterable[CallNode], functions: dict[Function, int]) -> list[list[int]]:
    rows = []
    todo = list(reversed(tuple(roots)))
    while todo:
        node = todo.pop()
        number = functions.setdefault(node.function, len(functions))
        rows.append([number, node.calls, node.total_ns, len(node.children)])
        todo.extend(reversed(node.children))
    return rows


def _tree(document: dict[str, Any], functions: list[Function]) -> CallTree:
    # From the last node to the first, so that what is below a node is there before it.
    ready: list[CallNode] = []
    for number, calls, total_ns, below in reversed(document["nodes"]):
        children = tuple(ready.pop() for _ in range(below))
        ready.append(CallNode(functions[number], calls, total_ns, children))
    process = ProcessKey(**document["process"])
    return CallTree(process, document["tid"], document["thread"], tuple(reversed(ready)))
