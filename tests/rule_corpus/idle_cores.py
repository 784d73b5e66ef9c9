"""Two processes that take turns, and two that do not."""

import sys
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection

ROUNDS = 10


def compute() -> None:
    sum(number * number for number in range(1_500_000))


def turns(mine: Connection) -> None:
    for _ in range(ROUNDS):
        mine.recv()
        compute()
        mine.send(None)


def alone() -> None:
    for _ in range(ROUNDS):
        compute()


def trigger() -> None:
    mine, theirs = Pipe()
    other = Process(target=turns, args=(theirs,))
    other.start()
    for _ in range(ROUNDS):
        compute()
        mine.send(None)
        mine.recv()
    other.join()


def healthy() -> None:
    other = Process(target=alone)
    other.start()
    alone()
    other.join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
