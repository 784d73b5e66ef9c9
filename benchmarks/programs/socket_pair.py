"""Two threads that exchange 200 000 messages over a socket pair: the worst case."""

import socket
import threading
import time

MESSAGES = 100_000  # each is answered, so twice as many travel


def answer(end: socket.socket) -> None:
    """Send every message back."""
    for _ in range(MESSAGES):
        end.send(end.recv(1))


if __name__ == "__main__":
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=answer, args=(theirs,))
    thread.start()
    start_ns = time.monotonic_ns()
    for _ in range(MESSAGES):
        ours.send(b"x")
        ours.recv(1)
    print(time.monotonic_ns() - start_ns)
    thread.join()
