"""Rounds with one slow member, and with equal members."""

import hashlib
import sys
import threading

DATA = bytes(1 << 20)


def member(meeting: threading.Barrier, times: int) -> None:
    for _ in range(10):
        for _ in range(times):
            hashlib.sha256(DATA).digest()
        meeting.wait()


def meet(*times: int) -> None:
    meeting = threading.Barrier(len(times))
    threads = [threading.Thread(target=member, args=(meeting, one)) for one in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def trigger() -> None:
    meet(60, 5)


def healthy() -> None:
    meet(30, 30)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
