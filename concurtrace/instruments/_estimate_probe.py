"""The Python stacks of a process's threads, looked at now and then from a thread inside it.

Only where the recorder was not built: it needs no thread in the target.
"""

from __future__ import annotations

import _thread
import json
import os
import sys
import time
from types import FrameType

from concurtrace.instruments import Probe, Site

SUFFIX = ".stacks.jsonl"
INTERVAL_S = 0.02
_DEPTH = 60

_Key = tuple[int, str, int, str, int]


def _leave() -> None:
    """Do nothing."""


class StackProbe(Probe):
    """Writes a line per look, and a line per frame that was not there before.

    It looks from a thread that ``threading`` does not know, so that the target does not see it.
    """

    def __init__(self, site: Site) -> None:
        self._path = str(site.file(SUFFIX))
        self._frames: dict[_Key, int] = {}
        self._main = (_thread.get_ident(), _thread.get_native_id())
        self._stop = _thread.allocate_lock()
        self._stopped = _thread.allocate_lock()
        self._is_ours = True
        self._looks = False
        self._tid = 0

    def begin(self) -> None:
        """Start looking; around a fork there is no thread of ours."""
        # From 3.13 on Python counts threads when the handlers have run: there it ends for good.
        again = self._resume if sys.version_info < (3, 13) else _leave
        os.register_at_fork(before=self._pause, after_in_parent=again)
        self._resume()

    def end(self) -> None:
        """Stop looking; every line is written already."""
        self._pause()
        self._is_ours = False

    def abandon(self) -> None:
        """Forget the parent's file."""
        self._is_ours = False

    def _resume(self) -> None:
        if self._is_ours and not self._looks:
            self._looks = True
            self._stop.acquire()
            self._stopped.acquire()
            _thread.start_new_thread(self._look_on, ())

    def _pause(self) -> None:
        if self._is_ours and self._looks:
            self._stop.release()
            self._stopped.acquire()
            self._stopped.release()
            self._looks = False
            self._wait_until_gone()

    def _wait_until_gone(self) -> None:
        """Wait for the kernel's part of the thread too: Python counts it when it forks."""
        for _ in range(1000):
            if not os.path.exists(f"/proc/self/task/{self._tid}"):  # noqa: PTH110
                break
            time.sleep(0.0001)

    def _look_on(self) -> None:
        own = _thread.get_ident()
        self._tid = _thread.get_native_id()
        self._write([{"own": self._tid}])
        while not self._stop.acquire(timeout=INTERVAL_S):
            self._look(own)
        self._stop.release()
        self._stopped.release()

    def _look(self, own: int) -> None:
        threading = sys.modules.get("threading")
        tids: dict[int | None, int | None] = dict([self._main])
        if threading is not None:
            tids |= {one.ident: one.native_id for one in threading.enumerate()}
        lines: list[object] = []
        seen = [
            [tids[ident], self._intern(frame, lines)]
            for ident, frame in sys._current_frames().items()
            if ident != own and ident in tids
        ]
        lines.append({"time_ns": time.monotonic_ns(), "stacks": seen})
        self._write(lines)

    def _write(self, lines: list[object]) -> None:
        raw = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        # One write of whole lines: valid whatever kills the process next.
        with open(self._path, "ab", buffering=0) as file:  # noqa: PTH123
            file.write(raw.encode())

    def _intern(self, frame: FrameType | None, lines: list[object]) -> int:
        chain: list[FrameType] = []
        while frame is not None and len(chain) < _DEPTH:
            chain.append(frame)
            frame = frame.f_back
        number = 0
        for one in reversed(chain):
            code = one.f_code
            place = (code.co_filename, code.co_firstlineno, code.co_qualname, one.f_lineno or 0)
            key = (number, *place)
            known = self._frames.get(key)
            if known is None:
                known = self._frames[key] = len(self._frames) + 1
                lines.append({"frame": known, "parent": number, "place": place})
            number = known
        return number
