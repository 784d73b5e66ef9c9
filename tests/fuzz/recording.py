"""Fuzz the reader of recordings: mutate files in many ways and read them.

``python -m tests.fuzz.recording COUNT [SEED]`` ends with an error, and the mutated files left in
a folder that it names, if the reader crashed, hung, or broke what holds for every trace.
"""

from __future__ import annotations

import faulthandler
import random
import sys
import tempfile
from pathlib import Path

from concurtrace.errors import RunDataError
from concurtrace.recording import layout
from concurtrace.recording.read import Context, read_trace
from tests.unit.recording import writer
from tests.unit.recording.invariants import check
from tests.unit.recording.writer import START_NS, ProcessFile, write_shared

MS = 1_000_000
HANG_S = 20
_INTERESTING = (0, 1, 2, 3, 4, 5, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Fuzzer:
    """Mutates one good recording again and again, each time from the start."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.paths = _good_recording(folder)
        self.good = {path: path.read_bytes() for path in self.paths}
        self.touched: set[Path] = set()
        self.refused = 0
        self.partial = 0
        self.whole = 0

    def once(self) -> None:
        """Mutate, read, check."""
        for path in self.touched:
            path.write_bytes(self.good[path])
        path = self.random.choice(self.paths)
        self.touched = {path}
        if self.random.randrange(4) == 0:
            # What can't be read is refused only where there is nothing else to show.
            self.touched |= set(self.good)
            for other in self.touched - {path}:
                other.unlink()
        raw = bytearray(self.good[path])
        for _ in range(self.random.choice((1, 1, 2, 4, 16, 64))):
            self._mutate(raw)
        path.write_bytes(raw)
        try:
            trace = read_trace(self.folder, Context(until_ns=START_NS + 500 * MS))
        except RunDataError:
            self.refused += 1
            return
        check(trace)
        if trace.losses:
            self.partial += 1
        else:
            self.whole += 1

    def _mutate(self, raw: bytearray) -> None:
        if not raw:
            return
        choose = self.random
        # Headers and counters, where damage leads furthest, as often as all the rest.
        at = choose.choice(
            (
                choose.randrange(len(raw)),
                choose.randrange(min(len(raw), 600)),
                choose.randrange(0, len(raw), layout.CHUNK_SIZE) + choose.randrange(160),
            )
        )
        match choose.randrange(7):
            case 0:
                raw[at : at + 1] = bytes([choose.randrange(256)])
            case 1:
                value = choose.choice(_INTERESTING)
                raw[at & ~3 : (at & ~3) + 4] = value.to_bytes(4, "little")
            case 2:
                raw[at & ~7 : (at & ~7) + 8] = choose.randbytes(8)
            case 3:
                del raw[at:]
            case 4:
                size = choose.choice((64, layout.CHUNK_SIZE))
                start = choose.randrange(len(raw))
                raw[at : at + size] = raw[start : start + size]
            case 5:
                raw[at : at + choose.randrange(1, 4096)] = b""
            case _:
                raw[at : at + 256] = bytes(256)


def _good_recording(folder: Path) -> list[Path]:
    """Write two processes with everything that a recording can hold."""
    parent = ProcessFile(10, process_row=1)
    stack = parent.frames(1, ("/srv/a.py", "inner", 7), ("/srv/a.py", "outer", 3))
    parent.string(900, "app.lock").thing(5, 1, 77, 900, created_stack=stack)
    for tid in (10, 11, 12):
        parent.thread(tid)
        for number in range(writer.PER_CHUNK // 2):
            state = (writer.RUNNING, writer.GIL_WAIT, writer.LOCK_WAIT, writer.IO_WAIT)[number % 4]
            parent.span(state, 1000 + number, waker=10, stack=stack, thing=5)
        parent.folded(writer.IO_WAIT, MS, 70)
        parent.end() if tid != 12 else parent.folded(writer.RUNNING, 500, told=False)
    child = ProcessFile(20, START_NS + MS, status=layout.ALIVE, process_row=2, start_method=2)
    child.thread(20, state=writer.SLEEP).span(writer.RUNNING, MS, stack=stack)
    rows = (
        {"pid": 10, "image_ns": START_NS, "flags": layout.P_PYTHON | layout.P_SELF_REPORTED},
        {"pid": 20, "ppid": 10, "fork_ns": START_NS, "flags": layout.P_REAPED, "wait_status": 9},
        {"pid": 30, "ppid": 10, "fork_ns": START_NS, "command": ["sleep", "1"]},
    )
    paths = [parent.write(folder), child.write(folder), write_shared(folder, *rows)]
    # Of the tables in front of the processes nothing is read: their bytes would only dilute.
    return [paths[0], paths[0], paths[1], paths[2]]


def main(count: int, seed: int) -> None:
    """Read ``count`` mutated recordings."""
    folder = Path(tempfile.mkdtemp(prefix="concurtrace-fuzz-"))
    print(f"seed {seed}, files in {folder}")
    fuzzer = Fuzzer(folder, seed)
    for number in range(count):
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        try:
            fuzzer.once()
        except BaseException:
            print(f"broken by mutation {number} of seed {seed}; the files are in {folder}")
            raise
    faulthandler.cancel_dump_traceback_later()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    told = (fuzzer.refused, fuzzer.partial, fuzzer.whole)
    print("{} refused, {} partial, {} whole".format(*told))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
