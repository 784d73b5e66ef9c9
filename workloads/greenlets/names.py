"""What is looked up, and what the computation beside it is: the same in every mode."""

import hashlib
import random

from concurtrace.workload import Work

HOST = "127.0.0.1"
ROUNDS_PER_NAME = 4000
"""How often the computation hashes for each name that is looked up."""
ROUNDS_AT_ONCE = 1000
"""How many of these it does before it lets others have their turn."""


def names(work: Work) -> list[str]:
    """List the names that are looked up."""
    return [f"host-{index}.example" for index in range(work.size)]


def address(seed: int, name: str) -> str:
    """Return what the directory knows of a name."""
    return ".".join(str(byte) for byte in random.Random(f"{seed}:{name}").randbytes(4))


def start(work: Work) -> bytes:
    """Return what the computation starts with."""
    return hashlib.sha256(f"start {work.seed}".encode()).digest()


def hash_on(digest: bytes, rounds: int) -> bytes:
    """Hash a hash again and again: pure computation."""
    for _ in range(rounds):
        digest = hashlib.sha256(digest).digest()
    return digest
