"""What the clients say, and how the server and they agree about when."""

import hashlib
import json
import random
import socket
from collections.abc import Iterator

from concurtrace.workload import Record, Result, Work

from .._invitation import invitation

HOST = "127.0.0.1"
CHUNK = 65_536
"""How much a server reads at once."""
LOOK_UP_S = 0.03
"""How long the fault `blocking-handler` blocks for each client."""


def messages(work: Work, client: int) -> Iterator[bytes]:
    """Make what a client sends, from the seed."""
    chance = random.Random(f"{work.seed}:{client}")
    for _ in range(work.number("messages")):
        yield chance.randbytes(work.number("payload"))


def digest(work: Work, client: int) -> str:
    """Return the SHA-256 of all that a client sends."""
    everything = hashlib.sha256()
    for message in messages(work, client):
        everything.update(message)
    return everything.hexdigest()


def door(work: Work) -> tuple[str, int]:
    """Return where the clients wait to be told that there is a server."""
    host, _, port = work.services["clients"].rpartition(":")
    return host, int(port)


def result(answer: bytes) -> Result:
    """Read what the clients say when all of them are done: a digest from each."""
    records: list[Record] = [(client, digest) for client, digest in json.loads(answer)]
    return Result(records)


def invite(work: Work, port: int) -> socket.socket:
    """Tell the clients where the server is; the socket has their answer when they are done."""
    waiting = socket.create_connection(door(work))
    waiting.sendall(invitation(port))
    return waiting


def read_answer(waiting: socket.socket) -> Result:
    """Wait for the clients' answer."""
    with waiting, waiting.makefile("rb") as lines:
        return result(lines.readline())
