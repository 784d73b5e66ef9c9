"""Read an estimate of wait states back: samples from the launcher, stacks from the probes."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from concurtrace.instruments._estimate_probe import SUFFIX
from concurtrace.instruments._files import decoding
from concurtrace.instruments._recorder import why_absent
from concurtrace.instruments._sampling import Samples, identify, read_samples
from concurtrace.model.recording import Function, ProcessKey
from concurtrace.model.spans import Spans
from concurtrace.model.states import STATES, State
from concurtrace.model.trace import EndedBy, GilUse, Origin, Process, StateTotal, Thread, Trace
from concurtrace.recording.estimate import Reading, estimate, ran_ns
from concurtrace.recording.reasons import Refiner
from concurtrace.recording.tables import LocalStacks, StackTable
from concurtrace.rundir.processes import RegisteredProcess, read_processes

_NEAR_NS = 50_000_000
"""A stack that was seen longer ago than that is no longer where the thread is."""

_Stacks = dict[int, list[tuple[int, int]]]


def read_estimate(path: Path) -> Trace:
    """Turn samples into spans; RunDataError says what is damaged, and where."""
    samples = read_samples(path)
    registry = read_processes(path.parent.parent)
    keys = identify(samples.processes, [one.key for one in registry.values()])
    with decoding(path):
        return _Estimate(path.parent, samples, keys, registry).trace()


class _Estimate:
    def __init__(
        self,
        out: Path,
        samples: Samples,
        keys: Mapping[int, ProcessKey],
        registry: Mapping[str, RegisteredProcess],
    ) -> None:
        self.samples = samples
        self.keys = keys
        self.names = {one.key: one.threads for one in registry.values()}
        self.table = StackTable()
        self.own_tids: set[tuple[int, int]] = set()
        stems = {one.key: stem for stem, one in registry.items()}
        self.stacks = {
            number: self._read_stacks(number, out / (stems[key] + SUFFIX))
            for number, key in keys.items()
            if key in stems
        }
        self.readings = self._readings()

    def _read_stacks(self, process: int, path: Path) -> _Stacks:
        """Read one probe's file as ``{tid: [(time, row), …]}``."""
        local, seen = LocalStacks(), []
        lines = path.read_text("utf-8", "replace").split("\n")[:-1] if path.exists() else []
        for text in lines:
            line = json.loads(text)
            if "frame" in line:
                number = int(line["frame"])
                file, first_line, name, at = line["place"]
                local.functions[number] = Function(file, int(first_line), name)
                local.frames[number] = (int(line["parent"]), number, int(at))
            elif "own" in line:
                self.own_tids.add((process, int(line["own"])))
            else:
                seen.append(line)
        rows = self.table.add(local)
        found: _Stacks = defaultdict(list)
        for line in seen:
            for tid, number in line["stacks"]:
                found[int(tid)].append((int(line["time_ns"]), int(rows[number])))
        return found

    def _readings(self) -> dict[tuple[int, int], list[Reading]]:
        found: dict[tuple[int, int], list[Reading]] = defaultdict(list)
        for line in self.samples.lines:
            time_ns = int(line["time_ns"])
            for number, tid, letter, core, on_core, ready, word in line["threads"]:
                if (number, tid) in self.own_tids:
                    continue
                stack = self._stack_at(number, tid, time_ns)
                one = Reading(time_ns, letter, core, on_core, ready, word, stack)
                found[number, tid].append(one)
        return found

    def _stack_at(self, number: int, tid: int, time_ns: int) -> int:
        seen = self.stacks.get(number, {}).get(tid, [])
        place = bisect_right(seen, (time_ns, 1 << 62)) - 1
        if place < 0 or time_ns - seen[place][0] > _NEAR_NS:
            return 0
        return seen[place][1]

    def _crowds(self) -> dict[tuple[int, int], int]:
        """Add up, per process and moment of a reading, time on cores since the one before."""
        sums: dict[tuple[int, int], int] = defaultdict(int)
        for (number, _), readings in self.readings.items():
            for before, after in pairwise(readings):
                sums[number, after.time_ns] += ran_ns(before, after)
        return sums

    def trace(self) -> Trace:
        crowds = self._crowds()
        stacks = self.table.finish()
        refiner = Refiner(stacks)
        threads: list[Thread] = []
        parts: list[Spans] = []
        processes: list[Process] = []
        numbers = sorted(self.keys, key=lambda one: (self.keys[one].start_ns, one))
        for row, number in enumerate(numbers):
            first = len(threads)
            python = self.keys[number] in self.names
            for (owner, tid), readings in self.readings.items():
                if owner != number or not python or len(readings) < 2:
                    continue
                crowd = [crowds[number, one.time_ns] for one in readings[1:]]
                spans = _named_waits(estimate(readings, crowd), refiner)
                start = sum(map(len, parts))
                parts.append(spans)
                threads.append(self._thread(row, number, tid, readings, spans, start))
            processes.append(self._process(number, numbers, first, len(threads)))
        return Trace(
            processes=tuple(processes),
            threads=tuple(threads),
            spans=Spans.joined(parts),
            start_ns=min((one.start_ns for one in processes), default=0),
            end_ns=max((one.end_ns for one in processes), default=0),
            stacks=stacks,
            origin=Origin.ESTIMATED,
            notes=(self._note(),),
        )

    def _note(self) -> str:
        return (
            f"Wait states are estimated from samples every {self.samples.interval_ns // 10**6} ms:"
            f" {why_absent() or 'nothing was recorded'}. Who ended a wait is not known, and what"
            " lived for less than two samples is not in it."
        )

    def _thread(
        self,
        row: int,
        number: int,
        tid: int,
        readings: list[Reading],
        spans: Spans,
        first: int,
    ) -> Thread:
        key = self.keys[number]
        ns = np.bincount(spans.state, spans.dur_ns, len(STATES)).astype(np.int64)
        count = np.bincount(spans.state, minlength=len(STATES))
        waits = spans.dur_ns[spans.in_state(State.GIL_WAIT)]
        return Thread(
            tid=tid,
            process=row,
            name=self.names[key].get(tid, "MainThread" if tid == key.pid else f"thread {tid}"),
            start_ns=readings[0].time_ns,
            end_ns=readings[-1].time_ns,
            first=first,
            last=first + len(spans),
            totals={
                state: StateTotal(int(ns[state.code]), int(count[state.code]))
                for state in STATES
                if ns[state.code]
            },
            gil=GilUse(
                held_ns=int(ns[State.RUNNING.code]),
                wait_ns=int(waits.sum()),
                waits=len(waits),
                longest_wait_ns=int(waits.max(initial=0)),
            ),
            is_main=tid == key.pid,
            cpu_ns=readings[-1].on_core_ns,
        )

    def _process(self, number: int, numbers: list[int], first: int, last: int) -> Process:
        key, sampled = self.keys[number], self.samples.processes[number]
        mine = [
            one for (owner, _), many in self.readings.items() if owner == number for one in many
        ]
        seen = max((one.time_ns for one in mine), default=sampled.start_ns)
        parents = [
            place
            for place, one in enumerate(numbers)
            if self.keys[one].pid == key.parent_pid and place < numbers.index(number)
        ]
        return Process(
            pid=key.pid,
            parent_pid=key.parent_pid,
            parent=parents[-1] if parents else None,
            name=key.name,
            started_by=key.started_by,
            start_ns=min(sampled.start_ns, seen),
            end_ns=max(seen, key.end_ns or 0),
            ended_by=EndedBy.UNKNOWN,
            exit_code=None,
            signal=None,
            command=tuple(sampled.command.split()),
            first=first,
            last=last,
        )


def _named_waits(spans: Spans, refiner: Refiner) -> Spans:
    """Tell waits to be told something from waits for a lock: by the primitive waited in."""
    locked = spans.in_state(State.LOCK_WAIT)
    spans.state[locked] = State.CONDITION_WAIT.code
    named = refiner.refine(spans)
    spans.state[locked & ~named] = State.LOCK_WAIT.code
    return spans
