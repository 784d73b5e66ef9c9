"""A listener: processes that have nothing in common find each other by an address and a key.

A server listens on a port of this machine, clients connect to it, and both sides prove that they
know the same key before the first message. Then each client sends messages, and the server sends
back the hash of each. By `threads` the server has a thread for every client; by `processes` it
waits for all of them at the same time, and answers whoever has something to say.

What to look for in the report: nobody has much to do; clients wait in `recv` for their answers, the
server in `accept` and then for the next message. The faults: `wrong-authkey` gives the clients
another key, so that both sides refuse each other; `no-accept` listens, but never accepts: a client
gets its connection from the operating system and then waits for ever for a first word.
"""

import hashlib
import multiprocessing
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, wait
from typing import Any, cast

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Work,
    Workload,
)

from ._models import PROCESSES, THREADS, Model

WORKLOAD = Workload(
    lessons=("A34",),
    default_mode="processes",
    parameters=(
        Parameter(
            "size", 20_000, "messages", 1, 10_000_000, presets={"tiny": 40, "large": 200_000}
        ),
        Parameter("clients", 4, "who share them", 1, 256, presets={"tiny": 2}),
        Parameter(
            "message-kb", 4, "size of a message in kilobytes", 1, 100_000, presets={"tiny": 1}
        ),
        START_METHOD,
    ),
    faults=(
        Fault("wrong-authkey", "the clients have another key", FaultOutcome.EXCEPTION),
        Fault("no-accept", "the server listens, but accepts nobody", FaultOutcome.HANG),
    ),
    expects={"processes": ("ipc-overhead",), "threads": ("chatty-io",)},
)

Address = tuple[str, int]


def message(work: Work, index: int) -> bytes:
    """Return a message."""
    generator = random.Random(f"{work.seed}:{index}")
    # A few random bytes, over and over: all of them random would take longer than sending them.
    return generator.randbytes(1000) * work.number("message-kb")


def digest(sent: bytes) -> str:
    """Return the hash of a message."""
    return hashlib.sha256(sent).hexdigest()


def key(work: Work) -> bytes:
    """Return what both sides have to know."""
    return hashlib.sha256(f"key {work.seed}".encode()).digest()


def serve(work: Work, control: Connection, talk: "Callable[[list[Connection]], None]") -> None:
    """Listen, tell the address, accept every client, and talk with all: what the server does."""
    clients = work.number("clients")
    with control, Listener(("127.0.0.1", 0), backlog=clients, authkey=key(work)) as listener:
        control.send(listener.address)
        if work.fault == "no-accept":
            control.recv()
        accepted, refused = [], 0
        for _ in range(clients):
            try:
                accepted.append(listener.accept())
            except AuthenticationError:
                refused += 1
        talk(accepted)
        control.send(refused)


def talk_in_threads(connections: list[Connection]) -> None:
    """Have a thread for every client."""
    crew = [
        threading.Thread(target=answer_one, args=(connection,), name=f"connection-{number}")
        for number, connection in enumerate(connections, 1)
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()


def answer_one(connection: Connection) -> None:
    """Answer one client until it hangs up."""
    with connection:
        while True:
            try:
                sent = connection.recv()
            except EOFError:
                return
            connection.send(digest(sent))


def talk_by_turns(connections: list[Connection]) -> None:
    """Wait for all clients at the same time, and answer whoever has sent something."""
    connected = list(connections)
    while connected:
        for ready in wait(connected):
            connection = cast("Connection", ready)
            try:
                connection.send(digest(connection.recv()))
            except EOFError:
                connection.close()
                connected.remove(connection)


def ask(work: Work, client: int, address: Address) -> list[Record]:
    """Connect, send messages and take the answers: what a client does."""
    known = b"another key" if work.fault == "wrong-authkey" else key(work)
    records: list[Record] = []
    with Client(address, authkey=known) as connection:
        for index in range(client, work.size, work.number("clients")):
            connection.send(message(work, index))
            records.append((index, connection.recv()))
    return records


@contextmanager
def running(
    work: Work, make: Callable[..., Any], talk: "Callable[[list[Connection]], None]"
) -> Iterator[tuple[Address, Connection]]:
    """Run the server around a block; ``make`` is ``Thread`` or ``Process``."""
    ours, theirs = multiprocessing.Pipe()
    server = make(target=serve, args=(work, theirs, talk), name="server")
    server.start()
    if make is multiprocessing.Process:
        # Only the server may hold this end now, or its death would not end our recv().
        theirs.close()
    with ours:
        try:
            yield ours.recv(), ours
        except BaseException:
            # Clients that were ended with the one that failed will never come.
            if make is multiprocessing.Process:
                server.terminate()
            raise
        finally:
            server.join()


def meet(work: Work, model: Model, make: Callable[..., Any], talk: Any) -> Result:
    """Run the server and the clients."""
    with running(work, make, talk) as (address, control):
        jobs = [(ask, (work, client, address)) for client in range(work.number("clients"))]
        parts = model.run(jobs, "client")
        refused = control.recv()
    return Result([record for part in parts for record in part], {"refused": refused})


@WORKLOAD.mode(imports=("multiprocessing.connection",))
def processes(work: Work) -> Result:
    """A server process that waits for all clients at the same time, and client processes."""
    return meet(work, PROCESSES, multiprocessing.Process, talk_by_turns)


@WORKLOAD.mode(imports=("multiprocessing.connection",))
def threads(work: Work) -> Result:
    """A server with a thread for every client, and clients that are threads too."""
    return meet(work, THREADS, threading.Thread, talk_in_threads)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Hash every message without sending it."""
    return Result([(index, digest(message(work, index))) for index in range(work.size)])
