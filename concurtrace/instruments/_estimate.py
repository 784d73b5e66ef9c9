"""Look at the target's threads through /proc now and then: states where no recorder was built.

One line per sample: for every thread the kernel's state letter, its core, its time on cores and
in the run queue so far, and a word for what it sleeps in.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from concurtrace.instruments._sampling import FINE, Line, sampling

if TYPE_CHECKING:
    from concurtrace.instruments._family import Seen

# System calls that threads sleep in (x86-64, aarch64), with the word for what they wait for; with
# "fd" the first argument decides.
_CALLS = {
    "x86_64": {
        "fd": (0, 1, 17, 18, 19, 20, 44, 45, 46, 47, 42, 43, 288, 40, 74, 75),
        "poll": (7, 23, 232, 270, 271, 281),
        "sleep": (35, 230),
        "child": (61, 247),
        "told": (34, 128, 130),
        "file": (2, 257, 73, 72),
        "futex": (202,),
    },
    "aarch64": {
        "fd": (63, 64, 65, 66, 67, 68, 206, 207, 211, 212, 203, 202, 242, 71, 82, 83),
        "poll": (72, 73, 22),
        "sleep": (101, 115),
        "child": (95, 260),
        "told": (133, 137),
        "file": (56, 32, 25),
        "futex": (98,),
    },
}
_WORDS = {
    number: word
    for word, numbers in _CALLS.get(platform.machine(), {}).items()
    for number in numbers
}
_BY_LINK = (("socket:", "net"), ("pipe:", "ipc"), ("anon_inode:", "poll"), ("/dev/pts", "tty"))
_STAT_STATE, _STAT_CORE = 0, 36
"""Places in /proc/PID/stat, counted from behind the name."""


@contextlib.contextmanager
def estimating(pid: int, out: Path) -> Iterator[None]:
    """Sample the threads of ``pid`` and its descendants while the block runs."""
    with sampling(pid, out, _Looker().take, dict, FINE):
        yield


class _Looker:
    """Remembers, per process, where the interpreter's own data lie."""

    def __init__(self) -> None:
        self._data: dict[int, list[tuple[int, int]]] = {}

    def take(self, members: list[tuple[int, Seen]]) -> Line:
        """Make the line of one sample."""
        threads: list[list[object]] = []
        for number, seen in members:
            pid = seen.identity.pid
            with contextlib.suppress(OSError):
                for name in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
                    one = self._look(number, pid, int(name))
                    if one is not None:
                        threads.append([number, int(name), *one])
        return {"time_ns": time.monotonic_ns(), "threads": threads}

    def _look(self, number: int, pid: int, tid: int) -> list[object] | None:
        task = f"/proc/{pid}/task/{tid}"
        try:
            stat = _read(f"{task}/stat").rpartition(")")[2].split()
            on_core, ready = _read(f"{task}/schedstat").split()[:2]
        except OSError:
            return None
        letter = stat[_STAT_STATE]
        word = "" if letter == "R" else self._waits_in(number, pid, task)
        return [letter, int(stat[_STAT_CORE]), int(on_core), int(ready), word]

    def _waits_in(self, number: int, pid: int, task: str) -> str:
        """Return the word for the system call that a thread is in; empty if it can't be told."""
        try:
            call = _read(f"{task}/syscall").split()
        except OSError:
            return ""
        if len(call) < 2 or not call[0].isdigit():
            return ""
        word = _WORDS.get(int(call[0]), "")
        if word == "fd":
            return _kind_of(pid, int(call[1], 16))
        if word == "futex":
            return "gil" if self._in_interpreter(number, pid, int(call[1], 16)) else "lock"
        return word

    def _in_interpreter(self, number: int, pid: int, address: int) -> bool:
        """Tell whether a futex lies in the interpreter's own data, as the GIL's do."""
        if number not in self._data:
            self._data[number] = _interpreter_data(pid)
        return any(start <= address < end for start, end in self._data[number])


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read()


def _kind_of(pid: int, descriptor: int) -> str:
    try:
        link = str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
    except OSError:
        return "other"
    return next((word for start, word in _BY_LINK if link.startswith(start)), "file")


def _interpreter_data(pid: int) -> list[tuple[int, int]]:
    """Find the writable data of libpython or of a static interpreter, with what follows unnamed."""
    found: list[tuple[int, int]] = []
    with contextlib.suppress(OSError):
        executable = str(Path(f"/proc/{pid}/exe").readlink())
        for line in _read(f"/proc/{pid}/maps").splitlines():
            span, rights, _, _, _, *name = line.split(maxsplit=5)
            start, end = (int(part, 16) for part in span.split("-"))
            ours = bool(name) and (name[0] == executable or "/libpython" in name[0])
            goes_on = not name and bool(found) and found[-1][1] == start
            if rights.startswith("rw") and (ours or goes_on):
                found.append((start, end))
    return found
