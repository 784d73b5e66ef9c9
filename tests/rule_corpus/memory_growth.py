"""A list that keeps everything, and one that keeps little."""

import sys
import time

WITH = "memory"


def collect(kept: int) -> None:
    parts: list[bytearray] = []
    for _ in range(60):
        parts.append(bytearray(b"x") * (4 << 20))
        del parts[:-kept]
        time.sleep(0.03)


def trigger() -> None:
    collect(1000)


def healthy() -> None:
    collect(2)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
