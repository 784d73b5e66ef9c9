"""Servers whose every read blocks: one client at a time, or a thread for each."""

import select
import socketserver
import threading

from concurtrace.workload import Result, Work

from .messages import CHUNK, HOST, invite, read_answer


class Echo(socketserver.BaseRequestHandler):
    """Sends back what a client sends, until it goes."""

    def handle(self) -> None:
        """Do it; called by the server for each client."""
        while data := self.request.recv(CHUNK):
            self.request.sendall(data)


class EchoInThread(Echo):
    """The same in a thread of its own, which gets a name."""

    def setup(self) -> None:
        """Take the name from the client's port."""
        threading.current_thread().name = f"client-{self.client_address[1]}"


def serve_in_turn(work: Work) -> Result:
    """Serve client after client in this thread."""
    with socketserver.TCPServer((HOST, 0), Echo, bind_and_activate=False) as server:
        return serve(server, work)


def serve_by_threads(work: Work) -> Result:
    """Serve each client in a thread; closing the server waits for them."""
    with socketserver.ThreadingTCPServer(
        (HOST, 0), EchoInThread, bind_and_activate=False
    ) as server:
        return serve(server, work)


def serve(server: socketserver.TCPServer, work: Work) -> Result:
    """Open the doors, and let clients in until they say that they are done."""
    # All come at once, and nobody is to be turned away.
    server.request_queue_size = work.size
    server.server_bind()
    server.server_activate()
    waiting = invite(work, server.server_address[1])
    doors = [server.fileno(), waiting.fileno()]
    while server.fileno() in select.select(doors, [], [])[0]:
        server.handle_request()
    return read_answer(waiting)
