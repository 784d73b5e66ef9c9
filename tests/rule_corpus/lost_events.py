"""Waits in more functions than the room that was given can name, and in one."""

import sys
import time
from collections.abc import Callable

MAX_TRACE_SIZE = "1M"


def made(number: int) -> Callable[[], None]:
    names = {"sleep": time.sleep}
    # Each a function of its own: only a compiler makes so many.
    exec(f"def wait_{number}():\n    sleep(0.00001)", names)  # noqa: S102
    return names[f"wait_{number}"]  # type: ignore[return-value]


def trigger() -> None:
    for number in range(15_000):
        made(number)()


def healthy() -> None:
    one = made(0)
    for _ in range(15_000):
        one()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
