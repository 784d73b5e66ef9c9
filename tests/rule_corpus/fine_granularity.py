"""A pool that gets its pieces one number at a time, and one that gets them by the thousand."""

import sys
from concurrent.futures import ThreadPoolExecutor

NUMBERS = 30_000


def square(number: int) -> int:
    return number * number


def squares(first: int) -> int:
    return sum(number * number for number in range(first, first + 2_000_000))


def trigger() -> None:
    with ThreadPoolExecutor(2) as executor:
        for _ in range(2):
            sum(executor.map(square, range(NUMBERS)))


def healthy() -> None:
    with ThreadPoolExecutor(1) as executor:
        sum(executor.map(squares, range(10)))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
