"""What all models have in common: the numbers, and who works on which."""

import random

from concurtrace.workload import Work

PHASES = 10
"""How many phases the variant `barrier` has."""
PERMITS = 2
"""How many the variant `bounded` lets in."""
PATIENCE_S = 0.2
"""How long the fault `missing-party` waits for the one that does not come."""


def token(seed: int, index: int) -> int:
    """Return the number that belongs to an item."""
    return random.Random(f"{seed}:{index}").randrange(1000)


def share(work: Work, part: int) -> range:
    """Return the indexes that a worker is to work on; the parts are counted from 0."""
    return range(part, work.size, work.workers)


def phase_share(work: Work, part: int, phase: int) -> range:
    """Return the indexes that a worker is to work on in one phase."""
    return range(work.size)[phase::PHASES][part :: work.workers]


def item_s(work: Work) -> float:
    """Return how long an item takes, in seconds."""
    return work.number("hold-us") / 1e6
