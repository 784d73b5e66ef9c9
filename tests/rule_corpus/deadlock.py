"""Two threads that take two locks in opposite order, and in the same."""

import sys
import threading

TIME_LIMIT_S = 4

FIRST, SECOND = threading.Lock(), threading.Lock()
BOTH = threading.Barrier(2)


def take(one: threading.Lock, other: threading.Lock, *, meet: bool) -> None:
    with one:
        if meet:
            BOTH.wait()
        with other:
            pass


def trigger() -> None:
    other = threading.Thread(target=take, args=(SECOND, FIRST), kwargs={"meet": True})
    other.start()
    take(FIRST, SECOND, meet=True)
    other.join()


def healthy() -> None:
    other = threading.Thread(target=take, args=(FIRST, SECOND), kwargs={"meet": False})
    other.start()
    take(FIRST, SECOND, meet=False)
    other.join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
