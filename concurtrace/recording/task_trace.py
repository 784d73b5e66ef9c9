"""Read what the recorder of tasks left in all processes into one ``TaskTrace``."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.recording import Loss
from concurtrace.model.spans import Numbers
from concurtrace.model.tasks import (
    NOBODY,
    Cancels,
    Fault,
    FaultKind,
    Flavour,
    Jobs,
    Loop,
    Rows,
    Sites,
    Steps,
    TaskFlag,
    TaskProcess,
    Tasks,
    TaskState,
    TaskTrace,
)
from concurtrace.recording import task_layout as layout
from concurtrace.recording.files import UnreadableError
from concurtrace.recording.layout import LATEST_NS
from concurtrace.recording.tables import StackTable, translate
from concurtrace.recording.task_files import TaskFile
from concurtrace.units import count_text, time_text

_FLAVOURS = (Flavour.ASYNCIO, Flavour.GREENLET, Flavour.TWISTED, Flavour.UNKNOWN)
_FAULTS = {
    1: FaultKind.NEVER_RETRIEVED,
    2: FaultKind.DESTROYED_PENDING,
    3: FaultKind.NEVER_AWAITED,
    4: FaultKind.CALLBACK_FAILED,
}


def read_task_trace(folder: Path) -> TaskTrace:
    """Decode the recordings in a folder; damaged files give a loss and what can be read."""
    return _Reader(folder).read()


class _Reader:
    """One reading of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = StackTable()
        self.losses: list[Loss] = []
        self.processes: list[TaskProcess] = []
        self.loops: list[Loop] = []
        self.names: list[str] = []
        self.things: dict[str, int] = {"": 0}
        self.faults: list[Fault] = []
        self.tasks: list[Tasks] = []
        self.steps: list[Steps] = []
        self.sites: list[Sites] = []
        self.jobs: list[Jobs] = []
        self.cancels: list[Cancels] = []

    def read(self) -> TaskTrace:
        for path in sorted(self.folder.glob("*.ctt")):
            try:
                self._file(TaskFile(path))
            except UnreadableError as error:
                self.losses.append(Loss(f"tasks in {path.name}", str(error)))
        for path in sorted(self.folder.glob("*.notes")):
            pid = path.stem.partition("-")[0]
            for line in path.read_text("utf-8").splitlines():
                what, _, why = line.partition("\t")
                self.losses.append(Loss(f"tasks of {what} in process {pid}", why))
        steps = Steps.joined(self.steps)
        return TaskTrace(
            processes=tuple(self.processes),
            loops=tuple(self.loops),
            tasks=Tasks.joined(self.tasks),
            names=tuple(self.names),
            steps=steps.take(np.argsort(steps.start_ns, kind="stable")),
            sites=Sites.joined(self.sites),
            jobs=Jobs.joined(self.jobs),
            cancels=Cancels.joined(self.cancels),
            stacks=self.table.finish(),
            things=tuple(self.things),
            faults=tuple(self.faults),
            losses=tuple(self.losses),
        )

    def _file(self, file: TaskFile) -> None:
        part = _Part(self, file)
        header = file.header
        pid, start_ns, end_ns = (int(header[name]) for name in ("pid", "start_ns", "end_ns"))
        self.processes.append(
            TaskProcess(
                pid=pid,
                start_ns=start_ns,
                end_ns=end_ns if start_ns <= end_ns < LATEST_NS else None,
                steps=int(header["steps"]),
                steps_kept=int(header["steps_kept"]),
                tasks=int(header["tasks"]),
                grouped=int(header["tasks_grouped"]),
                threshold_ns=int(header["threshold_ns"]),
            )
        )
        part.read_all()
        self._tell_losses(file)

    def _tell_losses(self, file: TaskFile) -> None:
        header, who = file.header, f"process {int(file.header['pid'])}"
        if file.damaged or file.missing_chunks:
            why = "the file is cut off" if file.missing_chunks else "parts of it are damaged"
            self.losses.append(Loss(f"tasks of {who}", why))
        unseen = int(header["tasks_unseen"])
        if unseen:
            self.losses.append(
                Loss(f"{count_text(unseen)} tasks of {who}", "their recording was full")
            )
        grouped = int(header["tasks_grouped"])
        if grouped:
            why = "the recording neared its size limit; they are told in sums by coroutine"
            self.losses.append(Loss(f"{count_text(grouped)} single tasks of {who}", why))
        lost = int(header["names_lost"])
        if lost:
            what = f"{count_text(lost)} names, waits at places, faults or jobs of {who}"
            self.losses.append(Loss(what, "their recording was full"))
        folded = int(header["steps"]) - int(header["steps_kept"])
        if int(header["raised_ns"]) and folded > 0:
            limit = int(header["threshold_ns"])
            under = f"under {time_text(limit)} " if limit < LATEST_NS else ""
            only = f"{count_text(folded)} steps are in totals only"
            why = f"the recording neared its size limit; {only}"
            self.losses.append(Loss(f"single steps {under}of {who}", why))
        if int(header["flags"]) & layout.H_DISK_FULL:
            self.losses.append(Loss(f"single steps of {who}", "the disk was full"))


class _Part:
    """What one file adds, with its own numbers turned into rows of the whole."""

    def __init__(self, whole: _Reader, file: TaskFile) -> None:
        self.whole, self.file = whole, file
        self.process = len(whole.processes)
        self.names = file.names()
        self.stacks = whole.table.add(self.names.stacks)
        self.codes = whole.table.rows_of(self.names.stacks.functions)
        self.first_task = len(whole.names)
        self.first_loop = len(whole.loops)
        raw = file.items(layout.TASKS, layout.TASK)
        # The totals of a group can be with none of its tasks any more: they have ended since.
        told = (raw["count"] > 0) | ((raw["flags"] & TaskFlag.GROUP) != 0) & (raw["steps"] > 0)
        raw = raw[told & (raw["created_ns"] < LATEST_NS)]
        self.raw_tasks = raw[np.argsort(raw["created_ns"], kind="stable")]
        serials = self.raw_tasks["serial"]
        self._order = np.argsort(serials, kind="stable")
        self._serials = serials[self._order]

    def rows(self, serials: NDArray[Any]) -> Rows:
        """Find tasks by their serial numbers; NOBODY for 0, and for those that are in groups."""
        if not len(self._serials):
            return np.full(len(serials), NOBODY, np.int32)
        places = np.minimum(np.searchsorted(self._serials, serials), len(self._serials) - 1)
        good = (self._serials[places] == serials) & (serials != 0)
        found = np.where(good, self._order[places] + self.first_task, NOBODY)
        return found.astype(np.int32)

    def loop_rows(self, numbers: NDArray[Any]) -> Rows:
        """Find loops by their numbers, which count from 1."""
        rows = numbers.astype(np.int32) - 1 + self.first_loop
        good = (numbers > 0) & (rows < len(self.whole.loops))
        return np.where(good, rows, NOBODY).astype(np.int32)

    def stack_rows(self, numbers: NDArray[Any]) -> Numbers:
        return translate(self.stacks, numbers)

    def read_all(self) -> None:
        for one in self.file.items(layout.LOOPS, layout.LOOP):
            self.whole.loops.append(self._loop(one))
        self.whole.tasks.append(self._tasks())
        self.whole.names += [
            name.decode("utf-8", "replace") for name in self.raw_tasks["name"].tolist()
        ]
        self.whole.steps.append(self._steps())
        self.whole.sites.append(self._sites())
        self.whole.jobs.append(self._jobs())
        self.whole.cancels.append(self._cancels())
        for one in self.file.items(layout.FAULTS, layout.FAULT):
            kind = _FAULTS.get(int(one["kind"]))
            if kind is not None:
                stack = int(self.stack_rows(np.array([one["stack"]], np.uint32))[0])
                text = self.names.strings.get(int(one["text"]), "")
                time_ns = int(min(one["time_ns"], LATEST_NS))
                self.whole.faults.append(Fault(kind, self.process, time_ns, text, stack))

    def _loop(self, one: Any) -> Loop:
        number = int(one["flavour"])
        numbers = {
            name: min(int(one[name]), LATEST_NS)
            for name in layout.LOOP.names or ()
            if name in Loop.__dataclass_fields__ and name not in _OWN_OF_LOOP
        }
        return Loop(
            **numbers,
            process=self.process,
            flavour=_FLAVOURS[number] if number < len(_FLAVOURS) else Flavour.UNKNOWN,
            name=self.names.strings.get(int(one["name"]), ""),
            lag=one["lag"].astype(np.int64),
            iteration=one["iteration"].astype(np.int64),
        )

    def _tasks(self) -> Tasks:
        raw = self.raw_tasks
        times = {
            name: np.minimum(raw[name], LATEST_NS).astype(np.int64)
            for name, kind in zip(Tasks.names(), Tasks.kinds(), strict=True)
            if kind is np.int64
        }
        codes = self.codes
        return Tasks(
            process=np.full(len(raw), self.process, np.int32),
            loop=self.loop_rows(raw["loop"]),
            parent=self.rows(raw["parent"]),
            waiter=self.rows(raw["waiter"]),
            awaits=self.rows(raw["awaits"]),
            gathering=raw["gathering"].astype(np.uint32),
            made_at=self.stack_rows(raw["made_at"]),
            code=translate(codes, raw["code"]),
            waits_at=self.stack_rows(raw["waits_at"]),
            state=np.minimum(raw["state"], TaskState.DONE.code),
            outcome=np.minimum(raw["outcome"], 4),
            flags=(raw["flags"] & int(sum(TaskFlag))).astype(np.uint8),
            **times,
        )

    def _steps(self) -> Steps:
        raw = self.file.items(layout.STEPS, layout.STEP)
        good = raw["start_ns"] < LATEST_NS
        for name in ("dur_ns", "await_ns", "ready_ns"):
            good &= raw[name] < LATEST_NS
        self.file.damaged += int((~good).sum())
        raw = raw[good]
        raw = raw[np.argsort(raw["start_ns"], kind="stable")]
        start_ns = raw["start_ns"].astype(np.int64)
        return Steps(
            start_ns=start_ns,
            end_ns=start_ns + raw["dur_ns"].astype(np.int64),
            ready_ns=raw["ready_ns"].astype(np.int64),
            await_ns=raw["await_ns"].astype(np.int64),
            task=self.rows(raw["task"]),
            loop=self.loop_rows(raw["loop"]),
            stack=self.stack_rows(raw["waited_at"]),
            waker=self.rows(raw["waker"]),
            waker_tid=raw["waker_tid"].astype(np.uint32),
            thing=self._things(raw["thing"]),
            source=np.minimum(raw["source"], 7).astype(np.uint8),
            flags=raw["flags"].astype(np.uint8),
        )

    def _things(self, numbers: NDArray[Any]) -> Numbers:
        known, inverse = np.unique(numbers, return_inverse=True)
        things, texts = self.whole.things, self.names.strings
        rows = [things.setdefault(texts.get(number, ""), len(things)) for number in known.tolist()]
        return np.array(rows, np.uint32)[inverse] if len(rows) else np.empty(0, np.uint32)

    def _sites(self) -> Sites:
        raw = self.file.items(layout.SITES, layout.SITE)
        sums = [
            np.minimum(raw[name], LATEST_NS).astype(np.int64)
            for name in ("count", "ns", "longest_ns", "ready_ns", "on_tasks")
        ]
        return Sites(
            np.full(len(raw), self.process, np.int32),
            self.stack_rows(raw["stack"]),
            np.minimum(raw["source"], 7).astype(np.uint8),
            *sums,
        )

    def _jobs(self) -> Jobs:
        raw = self.file.items(layout.JOBS, layout.JOB)
        times = [
            np.minimum(raw[name], LATEST_NS).astype(np.int64)
            for name in ("submitted_ns", "started_ns", "ended_ns")
        ]
        return Jobs(
            np.full(len(raw), self.process, np.int32),
            self.rows(raw["task"]),
            raw["from_tid"].astype(np.uint32),
            raw["tid"].astype(np.uint32),
            self.stack_rows(raw["stack"]),
            *times,
        )

    def _cancels(self) -> Cancels:
        raw = self.file.items(layout.CANCELS, layout.CANCEL)
        task = self.rows(raw["task"])
        known = (task != NOBODY) & (raw["time_ns"] < LATEST_NS) & (raw["until_ns"] < LATEST_NS)
        raw = raw[known]
        return Cancels(
            raw["time_ns"].astype(np.int64),
            raw["until_ns"].astype(np.int64),
            task[known],
            self.rows(raw["by"]),
            self.stack_rows(raw["stack"]),
        )


_OWN_OF_LOOP = ("flavour", "name", "lag", "iteration")
