"""Looking names up, and computing at the same time: what all modes have in common."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator

from concurtrace.workload import Result, Work

from .names import HOST, ROUNDS_AT_ONCE, ROUNDS_PER_NAME, hash_on, names, start

Plain = Callable[[], socket.socket]


def tcp_socket() -> socket.socket:
    """Make a socket; gevent has put its own class in the place of this one."""
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


class Job:
    """The work of one run: what is asked, what was answered, and when nobody could answer.

    ``make_socket`` makes what every lookup talks through.
    """

    def __init__(self, work: Work, make_socket: Plain = tcp_socket) -> None:
        self.work = work
        self.make_socket = make_socket
        self.port = int(work.services["directory"])
        self.lock = threading.Lock()
        self.answers: dict[str, str] = {}
        self.under_way = 0
        self.most_under_way = 0
        self.answered_meanwhile = 0
        self.digest = start(work)

    def look_up(self, name: str) -> None:
        """Ask for the address of a name."""
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        with self.make_socket() as line:
            line.connect((HOST, self.port))
            line.sendall(name.encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = answers.readline().decode().strip()
        with self.lock:
            self.under_way -= 1
            self.answers[name] = answer

    def compute(self) -> Iterator[None]:
        """Compute, and yield whenever others should have a turn."""
        before = len(self.answers)
        total = ROUNDS_PER_NAME * self.work.size
        for done in range(0, total, ROUNDS_AT_ONCE):
            self.digest = hash_on(self.digest, min(ROUNDS_AT_ONCE, total - done))
            yield
        self.answered_meanwhile = len(self.answers) - before

    def names(self) -> Iterable[str]:
        """Return what there is to look up."""
        return names(self.work)

    def result(self) -> Result:
        """Return what was found."""
        observed = {
            "most-under-way": self.most_under_way,
            "answered-while-computing": self.answered_meanwhile,
        }
        return Result([*self.answers.items(), ("digest", self.digest.hex())], observed)


def exhaust(steps: Iterator[None]) -> None:
    """Go on without letting anybody else have a turn."""
    for _ in steps:
        pass
