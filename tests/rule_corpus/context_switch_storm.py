"""A byte sent to and fro between two threads, and few large blocks."""

import socket
import sys
import threading


def echo(peer: socket.socket, size: int, rounds: int) -> None:
    for _ in range(rounds):
        data = peer.recv(size, socket.MSG_WAITALL)
        peer.sendall(data)


def exchange(size: int, rounds: int) -> None:
    mine, theirs = socket.socketpair()
    other = threading.Thread(target=echo, args=(theirs, size, rounds))
    other.start()
    for _ in range(rounds):
        mine.sendall(b"x" * size)
        mine.recv(size, socket.MSG_WAITALL)
    other.join()


def trigger() -> None:
    exchange(1, 30_000)


def healthy() -> None:
    exchange(10_000, 100)
    sum(number * number for number in range(10_000_000))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
