"""A table sent along with every call, and one that each worker gets once."""

import sys
from functools import partial
from multiprocessing import Pool

table: dict[int, str] = {}


def keep(given: dict[int, str]) -> None:
    table.update(given)


def look_up(number: int, given: dict[int, str]) -> int:
    return len(given[number])


def look_up_kept(number: int) -> int:
    return len(table[number]) + sum(one * one for one in range(400_000))


def make() -> dict[int, str]:
    return {number: str(number) for number in range(100_000)}


def trigger() -> None:
    with Pool(2) as pool:
        pool.map(partial(look_up, given=make()), range(24), chunksize=1)


def healthy() -> None:
    with Pool(2, keep, (make(),)) as pool:
        pool.map(look_up_kept, range(24), chunksize=1)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
