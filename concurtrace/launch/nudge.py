"""Wake processes that were told to end and fell asleep before Python could see the signal.

The agent writes a process's data in a Python handler of SIGTERM. The interpreter runs it at the
next chance, but a signal that arrives just before a blocking call leaves that call asleep: without
us the process would have died at once, with us it would hang, and so would whoever waits for it. A
second signal, which interrupts the call and does nothing else, ends that.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from concurtrace.launch.agent import NUDGE, TOLD

_INTERVAL_S = 0.2


@contextlib.contextmanager
def nudging(processes: Path) -> Iterator[None]:
    """Nudge, while the block runs, each process that another one told to end and that lives on."""
    over = threading.Event()

    def keep_nudging() -> None:
        while not over.wait(_INTERVAL_S):
            for path in processes.glob(f"*{TOLD}"):
                nudge(int(path.stem))

    thread = threading.Thread(target=keep_nudging, name="nudge")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def nudge(pid: int) -> None:
    """Interrupt a process's blocking call, if it is still there and ours to signal."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, NUDGE)
