"""Read a whole recording: all process files, what they share, and what the watcher saw."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from concurtrace.errors import RunDataError
from concurtrace.model.lock_site import LockSite
from concurtrace.model.messages import Messages, Repeated
from concurtrace.model.recording import Loss
from concurtrace.model.runtime import Generation, QueueLengths
from concurtrace.model.spans import CoreReadings, Folds, Numbers, OnCore, Spans, Times
from concurtrace.model.states import STATES
from concurtrace.model.trace import LockOrder, ObjectKind, Process, Thread, Trace, WaitObject
from concurtrace.recording import cores, layout, threads, totals
from concurtrace.recording.counted import lock_orders, lock_sites, repeated
from concurtrace.recording.files import Header, ProcessFile, UnreadableError
from concurtrace.recording.last_stacks import parse as parse_last_stacks
from concurtrace.recording.meta import LocalObject, LocalQueue, Meta, read_meta
from concurtrace.recording.processes import KnownProcess, Life, assemble
from concurtrace.recording.reasons import Refiner
from concurtrace.recording.shared import Shared, read_shared
from concurtrace.recording.spans import Numbering, decode
from concurtrace.recording.tables import StackTable
from concurtrace.recording.tasks import TaskList
from concurtrace.recording.threads import Draft
from concurtrace.recording.watch import read_watch
from concurtrace.units import time_text

C = TypeVar("C", OnCore, CoreReadings)


@dataclass(frozen=True)
class Context:
    """What is known of a recording from elsewhere.

    ``until_ns`` is when the launcher stopped watching.
    """

    known: tuple[KnownProcess, ...] = ()
    until_ns: int | None = None


def read_trace(folder: Path, context: Context | None = None) -> Trace:
    """Decode the recording in a folder; RunDataError if nothing of it can be read.

    Files that are damaged or cut off give what can be read of them, and a loss that says so.
    """
    return _Reader(folder, context or Context()).read()


class _Reader:
    """One reading of a folder."""

    def __init__(self, folder: Path, context: Context) -> None:
        self.context = context
        self.losses: list[Loss] = []
        self.files = self._open(sorted(folder.glob("*-*.ctr")))
        self.shared = self._shared(folder)
        self.stacks = StackTable()
        self.objects: list[WaitObject] = [WaitObject(ObjectKind.OTHER, 0, 0)]
        self.orders: list[LockOrder] = []
        self.sites: list[LockSite] = []
        self.repeated: list[Repeated] = []
        self.queues: list[QueueLengths] = []
        self.watch = read_watch(folder, self.stacks)
        self.losses += self.watch.losses
        self.tasks = TaskList(self.watch.tasks)

    def _open(self, paths: Iterable[Path]) -> list[ProcessFile]:
        found, refused = [], []
        for path in paths:
            try:
                found.append(ProcessFile(path))
            except UnreadableError as error:
                refused.append((path, error))
        if refused and not found:
            raise RunDataError(f"{refused[0][0]} can't be used: {refused[0][1]}.")
        self.losses += [Loss(f"process file {path.name}", str(why)) for path, why in refused]
        return found

    def _shared(self, folder: Path) -> Shared:
        try:
            return read_shared(folder)
        except UnreadableError as error:
            self.losses.append(Loss("the table of processes", str(error)))
            return Shared()

    def read(self) -> Trace:
        lives = assemble(
            [file.header for file in self.files],
            [_last_seen_ns(file) for file in self.files],
            self.shared.rows,
            self.context.known,
            lambda pid, start_ns: self.tasks.end_of(pid, start_ns) or self.context.until_ns,
        )
        drafts: list[Draft] = []
        processes: list[Process] = []
        for number, life in enumerate(lives):
            first = len(drafts)
            for image in life.images:
                drafts += self._image(number, life, self.files[image], len(drafts))
            told = _collections([self.files[image].header for image in life.images])
            whole = replace(life.process, first=first, last=len(drafts), collections=told)
            processes.append(whole)
        self._tell_losses()
        self.files.clear()
        stacks = self.stacks.finish()
        refiner = Refiner(stacks, self.objects)
        for one in drafts:
            for part in one.parts:
                refiner.refine(part)
        self._lay_over(drafts, processes)
        if not len(self.watch.gaps_ns):
            for one in drafts:
                one.cpu_ns = self.tasks.cpu_of(one.tid, one.start_ns, one.end_ns)
        rows, spans = _join(drafts)
        return Trace(
            processes=tuple(processes),
            threads=rows,
            spans=spans,
            start_ns=min((one.start_ns for one in processes), default=0),
            end_ns=max((one.end_ns for one in processes), default=0),
            folds=Folds.joined([folds for one in drafts for folds in one.folds]),
            stacks=stacks,
            objects=tuple(self.objects),
            orders=tuple(self.orders),
            sites=tuple(self.sites),
            messages=self.messages,
            queues=tuple(self.queues),
            on_core=self.watch.on_core,
            readings=self.watch.readings,
            gaps_ns=self.watch.gaps_ns,
            samples=self.watch.samples,
            gil=self.has_gil,
            min_span_ns=self.thresholds,
            losses=tuple(self.losses),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        first, now = self.thresholds
        if now <= first:
            return ()
        told = (
            f"The recording neared its size limit: from some time on spans under {time_text(now)}"
            f" ({time_text(first)} at the start) were kept as sums only. Totals are exact."
        )
        return (told,)

    def _image(self, process: int, life: Life, file: ProcessFile, row: int) -> list[Draft]:
        """Decode one process file into drafts of its threads, the first of which gets ``row``."""
        meta = read_meta(file.meta())
        stacks = self.stacks.add(meta.stacks)
        objects = self._objects(meta, process, stacks)
        numbering = Numbering(stacks, objects)
        self.orders += lock_orders(meta, numbering)
        self.sites += lock_sites(meta, numbering)
        self.repeated += repeated(meta, process, stacks)
        self.queues += [_queue(one, process, stacks) for one in meta.queues]
        header = file.header
        end_ns = header.end_ns if header.status != layout.ALIVE else 0
        span_ns = (header.start_ns, max(end_ns or life.process.end_ns, header.start_ns))
        known = self._known_threads(life.known, _addresses(meta, objects))
        drafts: list[Draft] = []
        for slot in file.slots:
            decoded = decode(
                file.records(int(slot["index"])),
                row + len(drafts),
                header.start_ns,
                threads.bound_ns(span_ns[1]),
                numbering,
            )
            drafts.append(threads.draft(row + len(drafts), process, slot, decoded, span_ns, known))
        file.let_go()
        damaged = meta.damaged + sum(one.dropped for one in drafts) + file.missing_chunks
        if damaged:
            why = "the file is cut off" if file.missing_chunks else "parts of the file are damaged"
            self.losses.append(Loss(f"records of process {header.pid}", f"{why} ({damaged})"))
        return drafts

    def _known_threads(
        self, known: KnownProcess | None, locks: Mapping[int, int]
    ) -> threads.KnownThreads:
        if known is None:
            return threads.KnownThreads({}, {}, locks)
        local, by_ident = parse_last_stacks(known.stacks)
        rows = self.stacks.add(local)
        last = {ident: int(rows[number]) for ident, number in by_ident.items()}
        return threads.KnownThreads(known.threads, last, locks)

    def _objects(self, meta: Meta, process: int, stacks: Numbers) -> Numbers:
        table = np.zeros(max(meta.objects, default=0) + 1, np.uint32)
        for number, one in meta.objects.items():
            table[number] = len(self.objects)
            self.objects.append(_object(one, process, stacks))
        return table

    def _lay_over(self, drafts: list[Draft], processes: list[Process]) -> None:
        python = Counter(one.process for one in drafts if one.slot["flags"] & layout.T_PYTHON)
        crowded = {process for process, count in python.items() if count > 1}
        children = _children(processes)
        nobody = np.empty(0, np.int64), np.empty(0, np.uint32)
        for one in drafts:
            on_core = _rows_of(self.watch.on_core, one.tid)
            readings = _rows_of(self.watch.readings, one.tid)
            if readings is not None:
                life_ns = (one.start_ns, one.end_ns)
                readings = cores.anchored(readings, life_ns, threads.cpu_ns(one))
            gaps = self.watch.gaps_ns if self.watch.on_core is not None else None
            # One at a time: the old parts are gone before the next is split.
            for number, part in enumerate(one.parts):
                laid = part if on_core is None else cores.lay_over(part, on_core)
                if readings is not None:
                    laid = cores.lay_over_readings(laid, readings, gaps)
                cores.name_child_starts(laid, *children.get(one.tid, nobody))
                if one.process in crowded:
                    cores.name_gil_waits(laid)
                one.parts[number] = laid
        releases = _releases(drafts)
        for one in drafts:
            for number, part in enumerate(one.parts):
                one.parts[number] = cores.split_woken(part, releases)

    @property
    def has_gil(self) -> bool:
        return self._gil

    def _tell_losses(self) -> None:
        headers = [file.header for file in self.files]
        self._gil = not any(one.flags & layout.H_FREE_THREADED for one in headers)
        self.messages = Messages(sum(one.message_bytes for one in headers), tuple(self.repeated))
        lowest = min((one.min_span_ns for one in headers), default=0)
        self.thresholds = lowest, max((one.now_min_span_ns for one in headers), default=0)
        for file in self.files:
            self.losses += _losses_of(file.header)
            if file.header.lost_threads:
                self.losses.append(_lost_threads(file))
        if self.shared.lost_rows > 0:
            self.losses.append(Loss(f"{self.shared.lost_rows} processes", "the table was full"))


def _children(processes: list[Process]) -> dict[int, tuple[Times, Numbers]]:
    """List for every tid when it began to start children, and their pids."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one in sorted(processes, key=lambda process: process.start_ns):
        found[one.creator_tid].append((one.start_ns, one.pid))
    return {
        tid: (np.array([s for s, _ in many], np.int64), np.array([p for _, p in many], np.uint32))
        for tid, many in found.items()
        if tid
    }


def _rows_of(columns: C | None, tid: int) -> C | None:
    """Return the rows of one tid of columns that are sorted by it; None where there are none."""
    if columns is None:
        return None
    low, high = np.searchsorted(columns.tid, [tid, tid + 1])
    return columns.take(slice(int(low), int(high))) if high > low else None


def _releases(drafts: list[Draft]) -> dict[int, cores.Releases]:
    """Find for every tid when its threads let go of the GIL."""
    by_tid: dict[int, list[Spans]] = defaultdict(list)
    for one in sorted(drafts, key=lambda draft: draft.start_ns):
        by_tid[one.tid] += one.parts
    return {tid: cores.releases_of(parts) for tid, parts in by_tid.items()}


def _losses_of(header: Any) -> list[Loss]:
    who = f"process {header.pid}"
    found = []
    if header.flags & layout.H_NO_STACKS:
        reason = f"the layout of Python {header.python.partition(' ')[0]} is not known"
        found.append(Loss(f"Python stacks of {who}", reason))
    if header.flags & layout.H_DISK_FULL:
        found.append(Loss(f"single spans of {who}", "its file could not grow: totals are exact"))
    if header.flags & layout.H_BUDGET_USED:
        found.append(Loss(f"single spans of {who}", "the size limit was reached: totals are exact"))
    if header.lost_stacks:
        found.append(Loss(f"{header.lost_stacks} Python stacks of {who}", "the table was full"))
    if header.lost_objects:
        what = f"{header.lost_objects} locks or descriptors of {who}"
        found.append(Loss(what, "the table was full"))
    if header.lost_queues:
        what = f"the lengths of {header.lost_queues} queues of {who}"
        found.append(Loss(what, "as many as can be watched were there already"))
    if header.lost_orders:
        what = f"the order of locks in {header.lost_orders} cases in {who}"
        found.append(Loss(what, "the table was full"))
    return found


def _addresses(meta: Meta, objects: Numbers) -> dict[int, int]:
    """Find the row of the newest object at each address."""
    newest = sorted(meta.objects.items(), key=lambda one: one[1].created_ns)
    return {one.key: int(objects[number]) for number, one in newest}


def _lost_threads(file: ProcessFile) -> Loss:
    """Tell of the threads that found no slot what is known: the sums of those that ended."""
    what = f"{file.header.lost_threads} threads of process {file.header.pid}"
    sums = [totals.all_of(slot) for slot in file.rest]
    told = [
        f"{state.name} {time_text(int(ns))}"
        for one in sums
        for state, ns in zip(STATES, one.ns, strict=True)
        if ns
    ]
    known = f"; those that ended were, together: {', '.join(told)}" if told else ""
    return Loss(what, f"the file had no room for each{known}")


def _last_seen_ns(file: ProcessFile) -> int:
    times = [int(file.header.end_ns), int(file.header.start_ns)]
    for name in ("since_ns", "end_ns", "start_ns"):
        values = file.slots[name]
        if len(values):
            times.append(int(values.max()))
    # A damaged time would stretch the whole trace.
    return max(time for time in times if time < file.header.start_ns + (1 << 56))


def _collections(headers: list[Header]) -> tuple[Generation, ...] | None:
    """Add up the collections of all programs that a process was; None where none told of them."""
    told = [one.collections for one in headers if one.flags & layout.H_COLLECTIONS]
    if not told:
        return None
    return tuple(sum(each, Generation()) for each in zip(*told, strict=True))


def _queue(one: LocalQueue, process: int, stacks: Numbers) -> QueueLengths:
    return QueueLengths(
        process=process,
        created_ns=one.created_ns,
        created_stack=int(stacks[one.created_stack]) if one.created_stack < len(stacks) else 0,
        creator_tid=one.creator_tid,
        times_ns=tuple(at_ns for at_ns, _, _ in one.readings),
        lengths=tuple(length for _, length, _ in one.readings),
        # What is in it was put in and not taken out.
        puts=tuple((moved + length) // 2 for _, length, moved in one.readings),
        gets=tuple(max(0, moved - length) // 2 for _, length, moved in one.readings),
    )


def _object(one: LocalObject, process: int, stacks: Numbers) -> WaitObject:
    created = int(stacks[one.created_stack]) if one.created_stack < len(stacks) else 0
    return WaitObject(
        kind=layout.KIND_OF.get(one.kind, ObjectKind.OTHER),
        process=process,
        key=one.key,
        text=one.text,
        created_ns=one.created_ns,
        created_stack=created,
        creator_tid=one.creator_tid,
        acquisitions=one.acquisitions,
        contended=one.contended,
        wait_ns=one.wait_ns,
        hold_ns=one.hold_ns,
        handed=one.handed,
    )


def _join(drafts: list[Draft]) -> tuple[tuple[Thread, ...], Spans]:
    """Finish the threads and lay their spans end to end, a column at a time to save memory."""
    finished, first = [], 0
    for one in drafts:
        last = first + sum(map(len, one.parts))
        finished.append(threads.finish(one, first, last))
        first = last
    names = [one.name for one in fields(Spans)]
    columns = {name: [getattr(p, name) for one in drafts for p in one.parts] for name in names}
    for one in drafts:
        one.parts.clear()
    if not columns[names[0]]:
        return tuple(finished), Spans.empty()
    return tuple(finished), Spans(*(np.concatenate(columns.pop(name)) for name in names))
