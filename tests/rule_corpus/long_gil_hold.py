"""A regular expression that takes long, beside a thread that computes; and one that does not."""

import re
import sys
import threading

PATTERN = re.compile("(a+)+$")


def match(length: int, times: int) -> None:
    for _ in range(times):
        PATTERN.match("a" * length + "b")


def compute() -> None:
    sum(number * number for number in range(6_000_000))


def beside(length: int, times: int) -> None:
    other = threading.Thread(target=match, args=(length, times))
    other.start()
    compute()
    other.join()


def trigger() -> None:
    beside(22, 4)


def healthy() -> None:
    beside(8, 100)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
