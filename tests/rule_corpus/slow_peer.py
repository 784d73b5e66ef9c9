"""A server that thinks for seconds before it answers, and one that answers at once."""

import socket
import subprocess
import sys

SERVER = """
import socket, sys, time
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    peer, _ = server.accept()
    with peer:
        while peer.recv(1):
            time.sleep(float(sys.argv[1]))
            peer.sendall(b"a")
"""


def ask(think_s: float, times: int) -> None:
    # Isolated: what a peer does is not the program's own doing, and is not recorded.
    command = [sys.executable, "-I", "-S", "-c", SERVER, str(think_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={}) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as peer:
            for _ in range(times):
                peer.sendall(b"q")
                peer.recv(1)


def trigger() -> None:
    ask(2.2, 1)


def healthy() -> None:
    ask(0, 3)
    sum(number * number for number in range(5_000_000))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
