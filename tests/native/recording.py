"""Read a wait-state recording with the struct module alone, for the recorder's own tests.

It knows nothing of the package's reader: two readings of one format are worth more than one. Run as
a program it prints a recording as JSON: ``python recording.py DIRECTORY``.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

CHUNK = 16384
STATES = [
    "UNKNOWN", "RUNNING", "RUNNING_NOGIL", "RUNNABLE", "GIL_WAIT", "GIL_BLOCKED", "LOCK_WAIT",
    "CONDITION_WAIT", "IO_WAIT", "SLEEP", "CHILD_WAIT", "STOPPED", "STARTING",
]  # fmt: skip
REASONS = {
    0: "", 1: "net", 2: "ipc", 3: "file", 4: "poll", 5: "tty", 6: "other", 16: "queue-empty",
    17: "queue-full", 18: "barrier", 19: "join", 20: "future", 21: "event", 22: "semaphore",
    23: "condition", 32: "lock", 33: "sleep", 34: "child", 35: "join-native", 36: "gc",
    40: "preempted", 41: "holding-gil", 42: "woken", 43: "throttled", 48: "native",
}  # fmt: skip
STATUS = {1: "alive", 2: "exited", 3: "execed"}
STARTS = ("unknown", "root", "fork", "vfork+exec", "fork+exec", "posix_spawn", "exec")
FOLD, CONTINUED, FORCED, GIL_HELD, TIMED, TIMED_OUT, FAILED, WRITE = (1 << n for n in range(8))


@dataclass(frozen=True)
class Span:
    """One span record, or a fold record: then `count` spans within `window_ns`."""

    state: str
    reason: str
    start_ns: int
    dur_ns: int
    waker: int
    stack: int
    object: int
    flags: int
    count: int = 1
    window_ns: int = 0

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.dur_ns

    @property
    def folded(self) -> bool:
        return bool(self.flags & FOLD)


@dataclass(frozen=True)
class Total:
    """Exact sums of one state of one thread."""

    total_ns: int
    count: int
    folded_ns: int
    folded_count: int


@dataclass(frozen=True)
class Gil:
    """GIL sums of one thread."""

    holds: int
    held_ns: int
    waits: int
    wait_ns: int
    longest_wait_ns: int
    forced: int


@dataclass(frozen=True)
class Thread:
    """A thread slot with its records."""

    tid: int
    flags: int
    start_ns: int
    end_ns: int
    creator_tid: int
    index: int
    name: str
    seq: int
    state: str
    reason: str
    since_ns: int
    wait_owner: int
    tstate: int
    gil: Gil
    cpu_ns: int
    span_records: int
    pairs: dict[int, tuple[int, int]]
    states: dict[str, Total]
    spans: list[Span] = field(default_factory=list)

    def total_ns(self, state: str) -> int:
        return self.states[state].total_ns

    def of(self, state: str) -> list[Span]:
        """Stored spans of a state, fold records left out."""
        return [s for s in self.spans if s.state == state and not s.folded]


@dataclass(frozen=True)
class Frame:
    function: str
    file: str
    line: int


@dataclass(frozen=True)
class Thing:
    """A lock or descriptor that was waited for."""

    kind: int
    text: str
    key: int
    created_stack: int
    creator_tid: int
    acquisitions: int
    contended: int
    wait_ns: int
    hold_ns: int
    owner: int
    poster: int
    handed: int


@dataclass(frozen=True)
class Order:
    """A lock taken while others were held; all but the tids are ids."""

    taken: int
    stack: int
    held: list[int]
    tids: list[int]


@dataclass(frozen=True)
class Collections:
    """Runs of the garbage collector over one generation."""

    count: int
    total_ns: int
    longest_ns: int
    freed: int


@dataclass(frozen=True)
class Queue:
    """A queue's length over time, as (time, length, items moved)."""

    created_stack: int
    creator_tid: int
    created_ns: int
    step_ns: int
    readings: list[tuple[int, int, int]]


@dataclass(frozen=True)
class Message:
    """A large message that was sent more than once."""

    stack: int
    hash: int
    length: int
    count: int


@dataclass(frozen=True)
class Site:
    """A place at which a contended lock is taken."""

    object: int
    stack: int
    acquisitions: int
    contended: int


@dataclass(frozen=True)
class Process:
    """One process file."""

    path: Path
    pid: int
    ppid: int
    status: str
    start_method: str
    start_ns: int
    fork_ns: int
    end_ns: int
    parent_start_ns: int
    creator_tid: int
    exit_code: int
    flags: int
    python: str
    argv: list[str]
    min_span_ns: int
    now_min_span_ns: int
    lost_stacks: int
    lost_orders: int
    collections: list[Collections]
    lost_queues: int
    message_bytes: int
    chunks: int
    threads: list[Thread]
    strings: dict[int, str]
    codes: dict[int, tuple[int, int, int, int]]
    stacks: dict[int, tuple[int, int, int]]
    objects: dict[int, Thing]
    orders: list[Order]
    queues: list[Queue]
    messages: list[Message]
    sites: list[Site]

    def stack(self, number: int) -> list[Frame]:
        """Frames of a stack, innermost first."""
        frames = []
        while number:
            number, code, line = self.stacks[number]
            name, file, _first, _reason = self.codes[code]
            frames.append(Frame(self.strings[name], self.strings[file], line))
        return frames

    def thread(self, name: str) -> Thread:
        (found,) = [t for t in self.threads if t.name == name]
        return found


@dataclass(frozen=True)
class Row:
    """One row of the process table."""

    pid: int
    ppid: int
    creator_tid: int
    start_method: str
    fork_ns: int
    exec_ns: int
    image_ns: int
    end_ns: int
    wait_status: int
    exit_code: int
    flags: int
    argv: list[str]

    @property
    def reaped(self) -> bool:
        return bool(self.flags & 1)

    @property
    def python(self) -> bool:
        return bool(self.flags & 4)


def text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def words(raw: bytes) -> list[str]:
    return [w.decode("utf-8", "replace") for w in raw.rstrip(b"\0").split(b"\0")] if raw else []


def read_spans(data: memoryview, used: int, epoch_ns: int) -> list[Span]:
    spans = []
    for w0, w1, w2 in struct.iter_unpack("<QQQ", data[: used // 24 * 24]):
        flags = w2 >> 48
        low, high = w2 & 0xFFFFFF, w2 >> 24 & 0xFFFFFF
        fold = bool(flags & FOLD)
        spans.append(
            Span(
                STATES[w0 >> 48 & 0xFF], REASONS[w0 >> 56], epoch_ns + (w0 & (1 << 48) - 1),
                w1 & (1 << 40) - 1, w1 >> 40, 0 if fold else low, 0 if fold else high, flags,
                low if fold else 1, high * 1000 if fold else 0,
            )
        )  # fmt: skip
    return spans


def read_thread(slot: bytes, spans: list[Span]) -> Thread:
    tid, flags, start_ns, end_ns, _pthread, tstate, creator, index = struct.unpack_from(
        "<IIQQQQII", slot
    )
    seq, state, reason = struct.unpack_from("<IBB", slot, 96)
    (since_ns,) = struct.unpack_from("<Q", slot, 104)
    (owner,) = struct.unpack_from("<I", slot, 120)
    holds, held, waits, wait_ns, longest, forced = struct.unpack_from("<6Q", slot, 144)
    cpu_ns, _read, records = struct.unpack_from("<3Q", slot, 192)
    pairs = {}
    for at in range(224, 432, 16):
        other, count, ns = struct.unpack_from("<IIQ", slot, at)
        if count or ns:
            pairs[other] = (count, ns)
    totals = {
        name: Total(*struct.unpack_from("<4Q", slot, 432 + 32 * n)) for n, name in enumerate(STATES)
    }
    return Thread(
        tid, flags, start_ns, end_ns, creator, index, text(slot[48:96]), seq, STATES[state],
        REASONS[reason], since_ns, owner, tstate, Gil(holds, held, waits, wait_ns, longest, forced),
        cpu_ns, records, pairs, totals, spans,
    )  # fmt: skip


def read_meta(
    chunk: bytes,
    strings: dict[int, str],
    codes: dict[int, tuple[int, int, int, int]],
    stacks: dict[int, tuple[int, int, int]],
    objects: dict[int, tuple[int, ...]],
    orders: list[Order],
    queues: list[Queue],
    messages: list[Message],
    sites: list[Site],
) -> None:
    at = 64
    while at + 8 <= CHUNK:
        word, number = struct.unpack_from("<II", chunk, at)
        size, kind = word & 0xFFFFFF, word >> 24 & 0x7F
        if word == 0:
            return
        if word >> 31:
            if kind == 1:
                (length,) = struct.unpack_from("<I", chunk, at + 8)
                strings[number] = chunk[at + 16 : at + 16 + length].decode("utf-8", "replace")
            elif kind == 2:
                codes[number] = struct.unpack_from("<4I", chunk, at + 8)
            elif kind == 3:
                stacks[number] = struct.unpack_from("<3I", chunk, at + 8)
            elif kind == 4:
                objects[number] = struct.unpack_from("<IIQQIIQQQQIIQ", chunk, at + 8)
            elif kind == 5:
                taken, stack, *rest = struct.unpack_from("<14I", chunk, at + 8)
                held, tids = rest[:8], rest[8:]
                orders.append(Order(taken, stack, [*filter(None, held)], [*filter(None, tids)]))
            elif kind == 6:
                stack, tid, made_ns, step_ns, count = struct.unpack_from("<IIQQI", chunk, at + 8)
                readings = struct.iter_unpack("<QII", chunk[at + 40 : at + 40 + 16 * count])
                told = [(at_ns, length, moved) for at_ns, length, moved in readings]
                queues.append(Queue(stack, tid, made_ns, step_ns, told))
            elif kind == 7:
                stack, _, *counted = struct.unpack_from("<IIQQQ", chunk, at + 8)
                messages.append(Message(stack, *counted))
            elif kind == 8:
                sites.append(Site(*struct.unpack_from("<IIQQ", chunk, at + 8)))
        at += size


def read_process(path: Path) -> Process:
    data = path.read_bytes()
    if data[:8] != b"CTRSTAT1":
        raise ValueError(f"{path} is no process file")
    version, chunk_size, chunks, span_size, slot_size, status, pid, ppid, creator, method = (
        struct.unpack_from("<10I", data, 8)
    )
    assert (version, chunk_size, span_size, slot_size) == (1, CHUNK, 24, 1024)
    start_ns, fork_ns, end_ns, exit_code, flags, parent_start_ns = struct.unpack_from(
        "<QQQiIQ", data, 48
    )
    min_span, now_min_span, _stack, lost_stacks = struct.unpack_from("<4Q", data, 200)
    (lost_orders,) = struct.unpack_from("<Q", data, 328)
    collections = [Collections(*struct.unpack_from("<4Q", data, 336 + 32 * n)) for n in range(3)]
    lost_queues, message_bytes = struct.unpack_from("<QQ", data, 432)
    (argv_bytes,) = struct.unpack_from("<I", data, 1096)
    pieces: dict[int, list[tuple[int, list[Span]]]] = {}
    slots: list[bytes] = []
    strings: dict[int, str] = {}
    codes: dict[int, tuple[int, int, int, int]] = {}
    stacks: dict[int, tuple[int, int, int]] = {}
    raw_objects: dict[int, tuple[int, ...]] = {}
    orders: list[Order] = []
    queues: list[Queue] = []
    messages: list[Message] = []
    sites: list[Site] = []
    for number in range(1, chunks):
        chunk = data[number * CHUNK : (number + 1) * CHUNK]
        kind, owner, sequence, used = struct.unpack_from("<4I", chunk)
        if kind == 2:
            slots += [chunk[64 + 1024 * n : 64 + 1024 * (n + 1)] for n in range(used)]
        elif kind == 3:
            spans = read_spans(memoryview(chunk)[64:], used, start_ns)
            pieces.setdefault(owner, []).append((sequence, spans))
        elif kind == 4:
            read_meta(chunk, strings, codes, stacks, raw_objects, orders, queues, messages, sites)
    threads = []
    for slot in slots:
        index, used_flag = struct.unpack_from("<I", slot, 44)[0], slot[4] & 1
        if used_flag:
            own = sorted(pieces.get(index, []), key=lambda piece: piece[0])
            assert [sequence for sequence, _ in own] == list(range(len(own)))
            threads.append(read_thread(slot, [s for _, spans in own for s in spans]))
    objects = {
        number: Thing(o[0], strings.get(o[1], ""), o[2], *o[4:13])
        for number, o in raw_objects.items()
    }
    return Process(
        path, pid, ppid, STATUS[status], STARTS[method], start_ns, fork_ns, end_ns,
        parent_start_ns, creator, exit_code, flags, text(data[456:584]),
        words(data[1104 : 1104 + argv_bytes]), min_span, now_min_span, lost_stacks,
        lost_orders, collections, lost_queues, message_bytes, chunks,
        threads, strings, codes, stacks, objects, orders, queues, messages, sites,
    )  # fmt: skip


def read_rows(path: Path) -> list[Row]:
    data = path.read_bytes()
    assert data[:8] == b"CTRSHAR1"
    (count,) = struct.unpack_from("<I", data, 40)
    rows = []
    for number in range(min(count, 65536)):
        at = 4096 + 65536 * 16 + 4096 * 24 + number * 512
        pid, ppid, creator, method = struct.unpack_from("<4I", data, at)
        fork_ns, exec_ns, image_ns, end_ns = struct.unpack_from("<4Q", data, at + 16)
        wait_status, exit_code, flags = struct.unpack_from("<iiI", data, at + 48)
        (argv_bytes,) = struct.unpack_from("<I", data, at + 72)
        if pid and not flags & 16:
            argv = words(data[at + 80 : at + 80 + argv_bytes])
            rows.append(
                Row(
                    pid, ppid, creator, STARTS[method], fork_ns, exec_ns, image_ns, end_ns,
                    wait_status, exit_code, flags, argv,
                )
            )  # fmt: skip
    return rows


@dataclass(frozen=True)
class Recording:
    processes: list[Process]
    rows: list[Row]

    def root(self) -> Process:
        (found,) = [p for p in self.processes if p.start_method == "root"]
        return found


def read(directory: Path) -> Recording:
    """Read all files of a recording, processes in order of their start."""
    processes = [read_process(p) for p in directory.glob("*-*.ctr")]
    return Recording(
        sorted(processes, key=lambda p: p.start_ns), read_rows(directory / "shared.ctr")
    )


def problems(process: Process, *, killed: bool = False) -> list[str]:
    """Say what breaks the promises of format.h: sums, order, overlap. Empty = sound.

    A killed process may lack the record of the last span of a thread, and nothing else.
    """
    found = []
    for thread in process.threads:
        where = f"{process.path.name} {thread.name} ({thread.tid})"
        slack = 1 if killed else 0
        for state, total in thread.states.items():
            told = [s for s in thread.spans if s.state == state and not s.folded]
            count = sum(1 for s in told if not s.flags & CONTINUED)
            gap = total.count - total.folded_count - count
            if not 0 <= gap <= slack:
                found.append(f"{where}: {state} counts {total} against {count} records")
            missing = total.total_ns - total.folded_ns - sum(s.dur_ns for s in told)
            if (missing != 0 and not gap) or missing < 0:
                found.append(f"{where}: {state} lacks {missing} ns")
            folds = [s for s in thread.spans if s.state == state and s.folded]
            if sum(s.dur_ns for s in folds) > total.folded_ns:
                found.append(f"{where}: {state} folds more than its total")
        spans = [s for s in thread.spans if not s.folded]
        for left, right in itertools.pairwise(spans):
            if right.start_ns < left.end_ns:
                found.append(f"{where}: {left} overlaps {right}")
        if thread.end_ns:
            alive_ns = thread.end_ns - thread.start_ns
            total_ns = sum(t.total_ns for t in thread.states.values())
            if alive_ns != total_ns:
                found.append(f"{where}: lives {alive_ns} ns, states sum to {total_ns}")
        waits_now = thread.state == "GIL_WAIT" and not thread.end_ns
        if sum(ns for _, ns in thread.pairs.values()) != thread.gil.wait_ns and not waits_now:
            found.append(f"{where}: pairs {thread.pairs} do not sum to {thread.gil.wait_ns}")
    return found


def main() -> None:
    """Print the recording in the directory given as the first argument."""
    recording = read(Path(sys.argv[1]))
    plain = dataclasses.asdict(recording)
    for process in plain["processes"]:
        process["path"] = str(process["path"])
        for table in ("strings", "codes", "stacks"):
            del process[table]
    json.dump(plain, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
