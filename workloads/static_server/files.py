"""What is served, what is asked for, and how server and clients agree about when."""

import hashlib
import json
import random
import socket
from collections import Counter
from pathlib import Path

from concurtrace.workload import Record, Result, Work

from .._invitation import invitation

HOST = "127.0.0.1"
MISSING = "/missing.html"
SLOW = "/page-0.html"
"""What the fault `slow-resource` takes its time for."""
SLOW_S = 0.02


def path(index: int) -> str:
    """Return the path of a page in an address."""
    return f"/page-{index}.html"


def page(work: Work, index: int) -> bytes:
    """Return what is in the file of a page."""
    dice = random.Random(f"{work.seed}:{index}")
    line = f"<p>{dice.randbytes(40).hex()}</p>\n".encode()
    return line * (work.number("page-kb") * 1000 // len(line) + 1)


def write_pages(work: Work, folder: Path) -> None:
    """Write all pages into a folder."""
    for index in range(work.number("pages")):
        (folder / path(index)[1:]).write_bytes(page(work, index))


def wanted(work: Work, request: int) -> str:
    """Return what a request asks for: a page, or now and then what is not there."""
    index = random.Random(f"{work.seed}:request:{request}").randrange(work.number("pages") + 1)
    return path(index) if index < work.number("pages") else MISSING


def record(what: str, status: int, body: bytes, times: int) -> Record:
    """Make the record of an answer; how a server puts into words that nothing is there may vary."""
    digest = hashlib.sha256(body).hexdigest() if status == 200 else None
    return (what, status, digest, times)


def all_records(work: Work) -> list[Record]:
    """Return what the clients must find out, taken from the files."""
    times = Counter(wanted(work, request) for request in range(work.size))
    pages = {path(index): page(work, index) for index in range(work.number("pages"))}
    return [
        record(what, 200 if what in pages else 404, pages.get(what, b""), count)
        for what, count in times.items()
    ]


def door(work: Work) -> tuple[str, int]:
    """Return where the clients wait to be told that there is a server."""
    return HOST, int(work.services["clients"])


def invite(work: Work, port: int) -> socket.socket:
    """Tell the clients where the server is; the socket has their answer when they are done."""
    waiting = socket.create_connection(door(work))
    waiting.sendall(invitation(port))
    return waiting


def read_answer(waiting: socket.socket) -> Result:
    """Wait for what the clients have to say."""
    with waiting, waiting.makefile("rb") as lines:
        return result(lines.readline())


def result(answer: bytes) -> Result:
    """Read what the clients say when all of them are done."""
    return Result([tuple(one) for one in json.loads(answer)])
