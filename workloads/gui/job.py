"""What is computed, and the keys that the turtle follows: nothing here knows of windows."""

import queue
import random
from collections.abc import Iterator
from multiprocessing.connection import Connection

from concurtrace.workload import Record, Work

MODULUS = 1_000_003
STEPS = {"Down": (0, 1), "Left": (-1, 0), "Right": (1, 0), "Up": (0, -1)}
"""Where each key leads, in steps to the right and down."""


def last_number(work: Work, index: int) -> int:
    """Return how far a piece of the job counts."""
    return random.Random(f"{work.seed}:{index}").randrange(10_000, 20_000)


def piece(work: Work, index: int) -> Record:
    """Do a piece of the job."""
    total = 0
    for number in range(last_number(work, index) + 1):
        total += number * number
    return (index, total % MODULUS)


def pieces(work: Work) -> Iterator[Record]:
    """Do all of it, piece by piece."""
    return (piece(work, index) for index in range(work.size))


def put_pieces(work: Work, done: "queue.SimpleQueue[Record | None]") -> None:
    """Put every piece on a queue, and a last word."""
    for one in pieces(work):
        done.put(one)
    done.put(None)


def send_pieces(work: Work, pipe: Connection) -> None:
    """Send every piece through a pipe, and a last word."""
    with pipe:
        for one in pieces(work):
            pipe.send(one)
        pipe.send(None)


def keys(work: Work) -> list[str]:
    """Return the keys that are pressed."""
    draw = random.Random(work.seed)
    return [draw.choice(sorted(STEPS)) for _ in range(work.number("keys"))]
