"""What all models have in common: the items, their order, and who takes how long."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from concurtrace.workload import Record, Result, Value, Work

FILLED_FIRST = ("lifo", "priority", "drain")
"""The variants in which the publishers are done before the subscribers begin."""
POLL_S = 0.002
"""How long a subscriber of the variant `empty` waits before it counts that it found nothing."""


def token(seed: int, index: int) -> int:
    """Return the number that belongs to an item."""
    return random.Random(f"{seed}:{index}").getrandbits(32)


def share(work: Work, publisher: int) -> range:
    """Return the indexes of the items that a publisher is to put in."""
    return range(publisher, work.size, work.number("publishers"))


def publish_s(work: Work) -> float:
    """Return how long making an item takes, in seconds."""
    return work.number("item-us") / 1e6 if work.variant == "empty" else 0


def handle_s(work: Work) -> float:
    """Return how long handling an item takes, in seconds."""
    return 0 if work.variant == "empty" else work.number("item-us") / 1e6


def limit(work: Work) -> int:
    """Return how many items the queue takes; 0 for any number."""
    bounded = work.variant == "full" and work.fault != "unbounded"
    return work.number("maxsize") if bounded else 0


def ticket(work: Work, index: int) -> Any:
    """Return what is put into the queue for an item."""
    if work.fault == "priority-tie":
        return 0, {"index": index}
    return (priority(work, index), index) if work.variant == "priority" else index


def priority(work: Work, index: int) -> int:
    """Return how urgent an item is; the second half of the items begins anew."""
    return token(work.seed, index) % 10


def index_of(work: Work, taken: Any) -> int:
    """Return the index of what came out of the queue."""
    return int(taken[1] if work.variant == "priority" else taken)


@dataclass(frozen=True)
class Published:
    """What a publisher saw: how often the queue was full, and how long it got."""

    found_full: int
    longest: int


@dataclass(frozen=True)
class Handled:
    """What a subscriber took out, in its order, and how often there was nothing."""

    indexes: Sequence[int]
    found_empty: int


def told(work: Work, published: Sequence[Published], handled: Sequence[Handled]) -> Result:
    """Put together what all of them did."""
    records: list[Record] = [
        (index, token(work.seed, index)) for one in handled for index in one.indexes
    ]
    in_order = all(is_in_order(work, one.indexes) for one in handled)
    observed: dict[str, Value] = {
        "found-full": sum(one.found_full for one in published),
        "found-empty": sum(one.found_empty for one in handled),
        "longest": max((one.longest for one in published), default=0),
    }
    return Result([*records, ("in order", int(in_order))], observed)


def is_in_order(work: Work, indexes: Sequence[int]) -> bool:
    """Tell whether one subscriber took its items in an order that the queue allows.

    Of several publishers nobody knows who was first, but each one's items keep their order.
    """
    if work.variant == "priority":
        urgency = [priority(work, index) for index in indexes]
        return all(before <= after for before, after in pairwise(urgency))
    publishers = work.number("publishers")
    for publisher in range(publishers):
        own = [index for index in indexes if index % publishers == publisher]
        if own != sorted(own, reverse=work.variant == "lifo"):
            return False
    return True
