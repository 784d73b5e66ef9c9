"""Put processes together from what they, their parents and the registry wrote about them."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from concurtrace.model.trace import EndedBy, Process
from concurtrace.recording import layout
from concurtrace.recording.files import Header
from concurtrace.recording.shared import ProcessRow

SLACK_NS = 1_000_000_000
"""How far the clocks of two notes about one process may lie apart: a process registers itself
after its recording began, on a busy machine much later."""


EndOf = Callable[[int, int], int | None]


@dataclass(frozen=True)
class KnownProcess:
    """What the registry of the run knows: names, which the recorder need not know.

    ``threads`` maps tids to names; ``stacks`` is what it wrote of its threads when it was told to
    end, see ``last_stacks``. ``work_ns`` is when what it was made for began, None if unknown.
    """

    pid: int
    start_ns: int
    name: str
    started_by: str
    threads: Mapping[int, str] = field(default_factory=dict)
    stacks: str = ""
    work_ns: int | None = None


@dataclass(frozen=True)
class Life:
    """One process before its threads are counted: its images, the row its parent kept, its end.

    ``images`` are indices of process files in order of time; none for a process without Python.
    """

    process: Process
    images: tuple[int, ...]
    known: KnownProcess | None


def assemble(
    headers: list[Header],
    last_seen_ns: list[int],
    rows: tuple[ProcessRow, ...],
    known: Iterable[KnownProcess],
    end_of: EndOf,
) -> list[Life]:
    """Return all processes in order of their start.

    ``last_seen_ns`` is the last sign of life in each file; ``end_of`` tells from elsewhere when a
    process with this pid and start ended, None if it can't.
    """
    by_number = _merge(rows)
    lives = []
    for images in _group(headers):
        row = by_number.get(headers[images[0]].process_row)
        seen = max(last_seen_ns[image] for image in images)
        lives.append(_python_life([headers[one] for one in images], images, row, seen, end_of))
    taken = {headers[image].process_row for life in lives for image in life.images}
    unclaimed = {id(row): row for number, row in by_number.items() if number not in taken}
    claimed = {id(by_number[number]) for number in taken if number in by_number}
    lives += [_other_life(row, end_of) for key, row in unclaimed.items() if key not in claimed]
    lives.sort(key=lambda life: (life.process.start_ns, life.process.pid))
    return _link(_name(lives, known))


def _group(headers: list[Header]) -> list[tuple[int, ...]]:
    """Put the images of one process together: an exec starts a new one under the same pid."""
    groups: dict[tuple[int, int], list[int]] = {}
    newest: dict[int, tuple[int, int]] = {}
    for image in sorted(range(len(headers)), key=lambda one: headers[one].start_ns):
        header = headers[image]
        key = (header.pid, header.process_row or -header.start_ns)
        if header.start_method == layout.START_EXEC and not header.process_row:
            key = newest.get(header.pid, key)
        newest[header.pid] = key
        groups.setdefault(key, []).append(image)
    return [tuple(images) for images in groups.values()]


def _merge(rows: tuple[ProcessRow, ...]) -> dict[int, ProcessRow]:
    """Make one row of two that a process and its parent wrote; both numbers lead to it."""
    found = {row.number: row for row in rows}
    parents: dict[int, list[ProcessRow]] = defaultdict(list)
    for row in rows:
        if not row.flags & layout.P_SELF_REPORTED:
            parents[row.pid].append(row)
    for own in rows:
        if not own.flags & layout.P_SELF_REPORTED:
            continue
        for told in parents[own.pid]:
            if told.fork_ns <= own.start_ns and (not told.end_ns or told.end_ns >= own.start_ns):
                both = replace(
                    told,
                    image_ns=own.image_ns or told.image_ns,
                    end_ns=own.end_ns or told.end_ns,
                    exit_code=own.exit_code if own.end_ns else told.exit_code,
                    flags=(own.flags | told.flags) & ~layout.P_SELF_REPORTED,
                    command=own.command or told.command,
                )
                found[own.number] = found[told.number] = both
    return found


def _python_life(
    headers: list[Header],
    images: tuple[int, ...],
    row: ProcessRow | None,
    seen_ns: int,
    end_of: EndOf,
) -> Life:
    first, last = headers[0], headers[-1]
    made = [t for t in (first.fork_ns, row.fork_ns if row else 0) if 0 < t <= first.start_ns]
    left_ns = end_of(first.pid, first.start_ns) or 0
    ended = _ending(last, row, left_ns)
    end = ended.end_ns or max(seen_ns, left_ns)
    command = last.command
    if row is not None and last.status == layout.EXECED and row.command:
        command = row.command
    method = row.start_method if row is not None else first.start_method
    process = Process(
        pid=first.pid,
        parent_pid=first.ppid,
        parent=None,
        name=_title(command),
        started_by=layout.START_WORDS.get(method, "subprocess"),
        start_ns=min(made, default=first.start_ns),
        end_ns=max(end, first.start_ns),
        ended_by=ended.by,
        exit_code=ended.exit_code,
        signal=ended.signal,
        command=command,
        first=0,
        last=0,
        creator_tid=first.creator_tid,
        images=len(headers),
        python=last.python.partition(" ")[0] or None,
    )
    return Life(process, images, None)


def _other_life(row: ProcessRow, end_of: EndOf) -> Life:
    left_ns = end_of(row.pid, row.start_ns) or 0
    ended = _ending(None, row, left_ns)
    process = Process(
        pid=row.pid,
        parent_pid=row.ppid,
        parent=None,
        name=PurePath(row.command[0]).name if row.command else "fork",
        started_by=layout.START_WORDS.get(row.start_method, "subprocess"),
        start_ns=row.start_ns,
        end_ns=max(ended.end_ns or left_ns, row.start_ns),
        ended_by=ended.by,
        exit_code=ended.exit_code,
        signal=ended.signal,
        command=row.command,
        first=0,
        last=0,
        creator_tid=row.creator_tid,
    )
    return Life(process, (), None)


@dataclass(frozen=True)
class _Ending:
    end_ns: int
    by: EndedBy
    exit_code: int | None = None
    signal: int | None = None


def _ending(header: Header | None, row: ProcessRow | None, left_ns: int) -> _Ending:
    """Find out how a process ended: its parent's word counts, its own is the more exact time.

    One that was killed tells none, and its parent may have looked only long after: ``left_ns`` is
    when the kernel had done with it, 0 if that is not known.
    """
    own_ns = header.end_ns if header is not None and header.status == layout.EXITED else 0
    if row is not None and row.flags & layout.P_REAPED:
        end_ns = own_ns or (min(row.end_ns, left_ns) if left_ns else row.end_ns)
        if os.WIFSIGNALED(row.wait_status):
            return _Ending(end_ns, EndedBy.SIGNAL, None, os.WTERMSIG(row.wait_status))
        return _Ending(end_ns, EndedBy.EXIT, os.WEXITSTATUS(row.wait_status))
    if own_ns and header is not None:
        return _Ending(own_ns, EndedBy.EXIT, header.exit_code & 0xFF)
    if row is not None and row.flags & layout.P_ENDED_SELF and row.end_ns:
        return _Ending(row.end_ns, EndedBy.EXIT, row.exit_code & 0xFF)
    return _Ending(0, EndedBy.UNKNOWN)


def _name(lives: list[Life], known: Iterable[KnownProcess]) -> list[Life]:
    """Give processes the names that the registry has for them."""
    by_pid: dict[int, list[KnownProcess]] = defaultdict(list)
    for one in known:
        by_pid[one.pid].append(one)
    named = []
    for life in lives:
        process = life.process
        mine = [
            one
            for one in by_pid[process.pid]
            if process.start_ns - SLACK_NS <= one.start_ns <= process.end_ns + SLACK_NS
        ]
        if not mine or not life.images:
            named.append(life)
            continue
        # Of several images of one process the first tells how it was started.
        mine.sort(key=lambda one: one.start_ns)
        threads = {tid: name for one in mine for tid, name in one.threads.items()}
        whole = replace(mine[-1], threads=threads)
        process = replace(
            process,
            name=whole.name,
            started_by=mine[0].started_by,
            python_ns=_within(process, whole.start_ns),
            work_ns=_within(process, whole.work_ns),
        )
        named.append(replace(life, process=process, known=whole))
    return named


def _within(process: Process, time_ns: int | None) -> int | None:
    """Keep a time from the registry where it lies in the life of its process."""
    if time_ns is None or not process.start_ns <= time_ns <= process.end_ns:
        return None
    return time_ns


def _link(lives: list[Life]) -> list[Life]:
    """Find every process's parent: the one that had the parent's pid when the child started."""
    by_pid: dict[int, list[int]] = defaultdict(list)
    for number, life in enumerate(lives):
        by_pid[life.process.pid].append(number)
    linked = []
    for number, life in enumerate(lives):
        process = life.process
        # In order of start: the newest that is older than the child.
        older = [one for one in by_pid[process.parent_pid] if one < number]
        parent = older[-1] if older else None
        linked.append(replace(life, process=replace(process, parent=parent)))
    return linked


_HELPERS = {
    "multiprocessing.resource_tracker": "resource tracker",
    "multiprocessing.forkserver": "fork server",
}
"""Processes of multiprocessing itself, which it starts as code given by ``-c``."""


def _title(command: tuple[str, ...]) -> str:
    """Name a Python process that no registry knows, after what it runs."""
    helper = next((name for module, name in _HELPERS.items() if module in " ".join(command)), None)
    if helper is not None:
        return helper
    for place, part in enumerate(command[1:], start=1):
        if command[place - 1] in ("-W", "-X"):
            continue  # the value of an option
        if part == "-c":
            return "python -c"
        if part == "-m":
            return " ".join(command[place + 1 : place + 2]) or "python"
        if not part.startswith("-"):
            return PurePath(part).name
    return PurePath(command[0]).name if command else "python"
