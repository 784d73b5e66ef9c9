"""Two threads that take two locks in opposite orders, one after the other; and behind a gate."""

import contextlib
import sys
import threading

FIRST, SECOND, GATE = threading.Lock(), threading.Lock(), threading.Lock()


def take(
    gate: contextlib.AbstractContextManager[object],
    one: threading.Lock,
    other: threading.Lock,
    turn: threading.Event,
    done: threading.Event,
) -> None:
    turn.wait()
    with gate, one, other:
        done.set()


def run(gate: contextlib.AbstractContextManager[object]) -> None:
    turns = [threading.Event() for _ in range(3)]
    threads = [
        threading.Thread(target=take, args=(gate, FIRST, SECOND, turns[0], turns[1])),
        threading.Thread(target=take, args=(gate, SECOND, FIRST, turns[1], turns[2])),
    ]
    for thread in threads:
        thread.start()
    turns[0].set()
    for thread in threads:
        thread.join()


def trigger() -> None:
    run(contextlib.nullcontext())


def healthy() -> None:
    run(GATE)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
