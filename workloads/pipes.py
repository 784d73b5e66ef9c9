"""Pipes: bytes or objects through a channel with two ends, and what it takes to see its end.

One side sends messages, the other answers with their hash. As `os-pipe` the operating system's pipe
carries bytes, and whoever reads has to know where a message ends; `simplex` is multiprocessing's
pipe, which carries whole objects in one direction; in `duplex` each message is answered before the
next is sent; `subclass` gives the pipe to a class of processes. Threads use the same pipes, though
they don't need them: they see the same memory.

What to look for in the report: the time in `send` and `recv`, which is pickling, copying into the
kernel and out of it again, and waiting for the other side; with `message-kb` it grows beyond what
is done with the messages.

The faults: `write-end-open` is a reader that holds an end to write to of the very pipe it reads
from: it waits for an end of the messages that can't come as long as somebody could write.
`both-send-first` has both sides send more than a pipe takes before either receives.
"""

import hashlib
import multiprocessing
import os
import random
import struct
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, BinaryIO

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

WORKLOAD = Workload(
    lessons=("A33", "B17", "B19", "B20", "B24"),
    default_mode="processes",
    parameters=(
        Parameter(
            "size", 20_000, "messages", 1, 10_000_000, presets={"tiny": 30, "large": 200_000}
        ),
        Parameter(
            "message-kb", 32, "size of a message in kilobytes", 1, 100_000, presets={"tiny": 4}
        ),
        START_METHOD,
    ),
    variants=(
        Variant("simplex", "objects in one direction"),
        Variant("duplex", "objects in both directions, one answer to each"),
        Variant("os-pipe", "bytes, without a mark between two messages"),
        Variant("subclass", "the receiver is a class of its own"),
    ),
    faults=(
        Fault(
            "write-end-open",
            "the reader itself could still write",
            FaultOutcome.HANG,
            variant="simplex",
        ),
        Fault(
            "both-send-first",
            "both sides send more than fits before they receive",
            FaultOutcome.HANG,
            variant="duplex",
        ),
    ),
    expects={"processes": ("ipc-overhead",), "threads": ("chatty-io",)},
)

LENGTH = struct.Struct("<I")
"""What stands before each message in a stream of bytes: its length."""
TOO_MUCH = bytes(1_000_000)
"""More than fits into a pipe."""
Answers = list[str]


def message(work: Work, index: int) -> bytes:
    """Return a message."""
    generator = random.Random(f"{work.seed}:{index}")
    # A few random bytes, over and over: all of them random would take longer than sending them.
    return generator.randbytes(1000) * work.number("message-kb")


def digest(sent: bytes) -> str:
    """Return the hash of a message."""
    return hashlib.sha256(sent).hexdigest()


class Side:
    """One of the two sides: who starts the other, and which ends it has to close.

    Processes have copies of all ends, each its own; threads have the same ones.
    """

    def __init__(self, work: Work, make: Callable[..., Any], *, has_copies: bool) -> None:
        self.work = work
        self.make = make
        self.has_copies = has_copies

    def start(self, target: Callable[..., None], *arguments: Any) -> Any:
        """Start the other side."""
        other = self.make(target=target, args=arguments, name="receiver")
        other.start()
        return other

    def drop_copies(self, *ends: Connection) -> None:
        """Close the ends that the other side uses."""
        if self.has_copies:
            for end in ends:
                end.close()


def exchange(side: Side) -> Result:
    """Send the messages in the way of the variant, and take the answers."""
    ways = {"os-pipe": send_bytes, "duplex": ask_and_answer}
    answers = ways.get(side.work.variant, send_objects)(side)
    records: list[Record] = list(enumerate(answers))
    return Result(records)


def send_objects(side: Side) -> Answers:
    """Simplex: send one object after the other, then close; the answers come by another pipe."""
    reader, writer = multiprocessing.Pipe(duplex=False)
    answers, answering = multiprocessing.Pipe(duplex=False)
    # The receiver must not hold on to its copy of this, or it would never see the end.
    unused = writer if side.has_copies else None
    fault = side.work.fault
    if side.work.variant == "subclass":
        kind = ReceivingProcess if side.has_copies else ReceivingThread
        other: Any = kind(reader, answering, unused, fault)
        other.start()
    else:
        other = side.start(receive_objects, reader, answering, unused, fault)
    side.drop_copies(reader, answering)
    for index in range(side.work.size):
        writer.send((index, message(side.work, index)))
    if side.has_copies or fault != "write-end-open":
        writer.close()
    with answers:
        received: Answers = answers.recv()
    other.join()
    return received


def receive_objects(
    reader: Connection, answering: Connection, unused: Connection | None, fault: str
) -> None:
    """Receive until the other end is closed, then send all answers: what the other side does."""
    if unused is not None and fault != "write-end-open":
        unused.close()
    answers: Answers = []
    with reader, answering:
        try:
            while True:
                _, sent = reader.recv()
                answers.append(digest(sent))
        except EOFError:
            answering.send(answers)


class ReceivingProcess(multiprocessing.Process):
    """A process that has its ends as attributes."""

    def __init__(self, *ends: Any) -> None:
        super().__init__(name="receiver")
        self.ends = ends

    def run(self) -> None:
        """Receive; called in the new process."""
        receive_objects(*self.ends)


class ReceivingThread(threading.Thread):
    """A thread that has its ends as attributes."""

    def __init__(self, *ends: Any) -> None:
        super().__init__(name="receiver")
        self.ends = ends

    def run(self) -> None:
        """Receive; called in the new thread."""
        receive_objects(*self.ends)


def ask_and_answer(side: Side) -> Answers:
    """Duplex: send, receive the answer, and send the next."""
    ours, theirs = multiprocessing.Pipe()
    other = side.start(answer_each, theirs, ours if side.has_copies else None, side.work.fault)
    side.drop_copies(theirs)
    if side.work.fault == "both-send-first":
        ours.send(TOO_MUCH)
        ours.recv()
    answers: Answers = []
    with ours:
        for index in range(side.work.size):
            ours.send(message(side.work, index))
            answers.append(ours.recv())
    other.join()
    return answers


def answer_each(pipe: Connection, unused: Connection | None, fault: str) -> None:
    """Answer each message until the other end is closed: what the other side does."""
    if unused is not None:
        unused.close()
    with pipe:
        if fault == "both-send-first":
            pipe.send(TOO_MUCH)
        while True:
            try:
                sent = pipe.recv()
            except EOFError:
                return
            pipe.send(digest(sent))


def send_bytes(side: Side) -> Answers:
    """Use pipes of the operating system: bytes, with a length before each message."""
    reader, writer = raw_pipe()
    answers, answering = raw_pipe()
    unused = writer if side.has_copies else None
    other = side.start(receive_bytes, reader, answering, unused)
    side.drop_copies(reader, answering)
    with stream(writer, "wb") as out:
        for index in range(side.work.size):
            sent = message(side.work, index)
            out.write(LENGTH.pack(len(sent)))
            out.write(sent)
    with stream(answers, "rb") as back:
        received: Answers = back.read().decode("ascii").split()
    other.join()
    return received


def receive_bytes(reader: Connection, answering: Connection, unused: Connection | None) -> None:
    """Receive until the other end is closed, then send all answers: what the other side does."""
    if unused is not None:
        unused.close()
    with stream(reader, "rb") as source, stream(answering, "wb") as out:
        answers = [digest(sent) for sent in split(source)]
        out.write("\n".join(answers).encode("ascii"))


def split(source: BinaryIO) -> Iterator[bytes]:
    """Cut the stream into messages."""
    while head := source.read(LENGTH.size):
        yield source.read(*LENGTH.unpack(head))


def raw_pipe() -> tuple[Connection, Connection]:
    """Make a pipe of the operating system, in a wrapping that can be sent to a spawned process."""
    reader, writer = os.pipe()
    return Connection(reader, writable=False), Connection(writer, readable=False)


def stream(end: Connection, mode: str) -> Any:
    """Take the bare end of the pipe out of its wrapping."""
    with end:
        return os.fdopen(os.dup(end.fileno()), mode)


@WORKLOAD.mode()
def processes(work: Work) -> Result:
    """The other side is a process, which is what pipes are for."""
    return exchange(Side(work, multiprocessing.Process, has_copies=True))


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """The other side is a thread."""
    return exchange(Side(work, threading.Thread, has_copies=False))


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Hash every message without sending it."""
    return Result([(index, digest(message(work, index))) for index in range(work.size)])
