"""Servers of the standard library: one request at a time, or a thread for each."""

import select
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer

from concurtrace.workload import Result, Work

from .files import HOST, invite, read_answer


class Pages(SimpleHTTPRequestHandler):
    """Answers with files, and keeps no log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Say nothing."""


class PagesInThread(Pages):
    """The same in a thread of its own, which gets a name."""

    def setup(self) -> None:
        """Take the name from the client's port."""
        threading.current_thread().name = f"request-{self.client_address[1]}"
        super().setup()


class Threading(ThreadingHTTPServer):
    """Starts a thread for each request; closing it waits for them."""

    daemon_threads = False


def serve_in_turn(work: Work) -> Result:
    """Answer one request after the other in this thread."""
    handler = partial(Pages, directory=work.services["folder"])
    with HTTPServer((HOST, 0), handler, bind_and_activate=False) as server:
        return serve(server, work)


def serve_by_threads(work: Work) -> Result:
    """Answer each request in a thread."""
    handler = partial(PagesInThread, directory=work.services["folder"])
    with Threading((HOST, 0), handler, bind_and_activate=False) as server:
        return serve(server, work)


def serve(server: HTTPServer, work: Work) -> Result:
    """Open the doors, and answer until the clients say that they are done."""
    # All come at once, and nobody is to be turned away.
    server.request_queue_size = work.number("clients")
    server.server_bind()
    server.server_activate()
    waiting = invite(work, server.server_address[1])
    doors = [server.fileno(), waiting.fileno()]
    while server.fileno() in select.select(doors, [], [])[0]:
        server.handle_request()
    return read_answer(waiting)
