"""Results that are awaited one by one, and results that are asked for when all is submitted."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

PIECES = 30


def answer(number: int) -> int:
    time.sleep(0.03)
    return number * number


def trigger() -> None:
    with ThreadPoolExecutor(4) as executor:
        sum(executor.submit(answer, number).result() for number in range(PIECES))


def healthy() -> None:
    with ThreadPoolExecutor(PIECES) as executor:
        sum(executor.map(answer, range(PIECES)))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
