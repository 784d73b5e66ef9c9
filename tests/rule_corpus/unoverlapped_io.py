"""Questions to a slow peer one after the other, and side by side."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

ROUNDS = 20
SERVER = """
import socket, threading, time
def answer(peer):
    with peer:
        while peer.recv(1):
            time.sleep(0.05)
            peer.sendall(b"a")
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
"""


@contextlib.contextmanager
def peer() -> Iterator[int]:
    """Start a server that is none of this program's processes: it is not recorded."""
    command = [sys.executable, "-I", "-S", "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={}) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def ask(port: int, rounds: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(rounds):
            connection.sendall(b"q")
            connection.recv(1)


def trigger() -> None:
    with peer() as port:
        ask(port, ROUNDS)


def healthy() -> None:
    with peer() as port:
        threads = [threading.Thread(target=ask, args=(port, ROUNDS // 4)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
