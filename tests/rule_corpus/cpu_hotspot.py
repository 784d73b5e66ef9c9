"""One function that does it all, and many that share it."""

import sys

WITH = "functions"


def square(number: int) -> int:
    total = 0
    for _ in range(50):
        total += number * number
    return total


def trigger() -> None:
    for number in range(20_000):
        square(number)


def first() -> list[int]:
    return [3 * one for one in range(1_000_000)]


def second() -> str:
    return "-".join(map(str, range(300_000)))


def third() -> dict[int, int]:
    return {one: one for one in range(600_000)}


def fourth() -> list[int]:
    return sorted(range(1_000_000), key=lambda one: -one)


def healthy() -> None:
    for _ in range(2):
        first()
        second()
        third()
        fourth()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
