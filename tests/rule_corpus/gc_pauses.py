"""A program that collects garbage after each request, and one that leaves what stays alone."""

import gc
import sys

STAYS = 200_000
REQUESTS = 40


def serve() -> int:
    return sum(number * number for number in range(100_000))


def run(*, collect: bool) -> None:
    gc.disable()
    stays = [[number] for number in range(STAYS)]
    gc.enable()
    if not collect:
        gc.freeze()
    for _ in range(REQUESTS):
        serve()
        if collect:
            gc.collect()
    del stays


def trigger() -> None:
    run(collect=True)


def healthy() -> None:
    run(collect=False)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
