"""What all models have in common: the products, who makes them, and how long that takes."""

import random
from collections.abc import Sequence

from concurtrace.workload import Record, Result, Work


def product(seed: int, index: int) -> int:
    """Return a product."""
    return random.Random(f"{seed}:{index}").getrandbits(32)


def share(work: Work, producer: int) -> range:
    """Return the indexes of what a producer is to make."""
    return range(producer, work.size, work.number("producers"))


def produce_s(work: Work) -> float:
    """Return how long making a product takes, in seconds."""
    return work.number("produce-us") / 1e6


def consume_s(work: Work) -> float:
    """Return how long using a product takes, in seconds."""
    return work.number("consume-us") / 1e6


def limit(work: Work) -> int:
    """Return how many products may wait; 0 for any number."""
    return 0 if work.fault == "unbounded" else work.number("maxsize")


def says_when_done(work: Work) -> bool:
    """Tell whether the consumers get to know that the last product was made."""
    return work.fault != "no-sentinel"


Used = list[tuple[int, int]]
"""Index and product of what a consumer used."""


def told(used: Sequence[Used]) -> Result:
    """Put together what the consumers used, and who used how much."""
    records: list[Record] = [one for part in used for one in part]
    shares = {f"consumer-{number}-used": len(part) for number, part in enumerate(used, 1)}
    return Result(records, shares)
