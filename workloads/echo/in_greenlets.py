"""A gevent server: a greenlet for each client, which reads as if it blocked."""

from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import socket

from concurtrace.workload import Result, Work

from .messages import CHUNK, HOST, invite, read_answer


def echo(client: socket, _address: tuple[str, int]) -> None:
    """Send back what a client sends: what each greenlet runs."""
    while data := client.recv(CHUNK):
        client.sendall(data)


def serve(work: Work) -> Result:
    """Serve until all clients are done."""
    # To stop a server is to wait for the greenlets of its pool; without one it knows none.
    server = StreamServer((HOST, 0), echo, backlog=work.size, spawn=Pool())
    server.start()
    try:
        # This waits, too; the greenlets of the clients go on meanwhile.
        return read_answer(invite(work, server.server_port))
    finally:
        server.stop()
