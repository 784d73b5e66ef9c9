"""A run of hardly anything, and one of a second."""

import sys
import time


def trigger() -> None:
    pass


def healthy() -> None:
    time.sleep(1)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
