"""A file written byte by byte, and in one piece."""

import os
import sys
import tempfile

SIZE = 100_000


def trigger() -> None:
    with tempfile.TemporaryFile() as file:
        for _ in range(SIZE):
            os.write(file.fileno(), b"x")


def healthy() -> None:
    with tempfile.TemporaryFile() as file:
        for _ in range(20):
            os.write(file.fileno(), b"x" * SIZE)
            sum(range(100_000))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
