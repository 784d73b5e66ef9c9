"""A gevent server: a greenlet for each connection, which calls a WSGI application."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from concurtrace.workload import Result, Work

from .files import HOST, invite, read_answer


class Pages:
    """A WSGI application that answers with the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        # Only what is in the folder itself: a name with a slash is none of its files.
        name = environ["PATH_INFO"][1:]
        file = self.folder / name
        if "/" in name or not file.is_file():
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"There is no such page."]
        body = file.read_bytes()
        headers = [("Content-Type", "text/html"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]


def serve(work: Work) -> Result:
    """Serve until all clients are done."""
    pages = Pages(Path(work.services["folder"]))
    # To stop a server is to wait for the greenlets of its pool; without one it knows none.
    server = WSGIServer((HOST, 0), pages, backlog=work.number("clients"), spawn=Pool(), log=None)
    server.start()
    try:
        # This waits, too; the greenlets of the clients go on meanwhile.
        return read_answer(invite(work, server.server_port))
    finally:
        server.stop()
