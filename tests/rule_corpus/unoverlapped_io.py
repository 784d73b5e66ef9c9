"""Questions to a slow peer one after the other, and side by side."""

import socket
import sys
import threading
import time

ROUNDS = 20


def answer(peer: socket.socket) -> None:
    for _ in range(ROUNDS):
        peer.recv(1)
        time.sleep(0.05)
        peer.send(b"x")


def ask(peer: socket.socket) -> None:
    for _ in range(ROUNDS):
        peer.send(b"x")
        peer.recv(1)


def serve(count: int) -> list[socket.socket]:
    """Start answering in a child, so that the wait is for somebody else."""
    import os

    pairs = [socket.socketpair() for _ in range(count)]
    if os.fork() == 0:
        threads = [threading.Thread(target=answer, args=(theirs,)) for _, theirs in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
    return [mine for mine, _ in pairs]


def trigger() -> None:
    (peer,) = serve(1)
    ask(peer)


def healthy() -> None:
    threads = [threading.Thread(target=ask, args=(peer,)) for peer in serve(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
