"""Repeat a run under varied pressure, and find the runs that differ, hang or fail.

Each trial is a fresh child with its own switch interval, number of workers, seed and start method,
and with pauses at places drawn from a seed. What is right is known for a workload, whose reference
works it out for each seed; a script is compared with its own first trial, which is a plain one.
"""

import contextlib
import hashlib
import itertools
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from concurtrace.errors import RunFailedError
from concurtrace.launch import command, pressure
from concurtrace.launch.interrupts import Interrupts
from concurtrace.launch.launcher import WORKLOAD_DEFAULTS
from concurtrace.launch.plan import RunPlan
from concurtrace.launch.process import Captured, Child, Ended, Leftovers, adopt_orphans
from concurtrace.launch.stacks import stuck_at
from concurtrace.model.run import Target
from concurtrace.rundir import store

STRESS = store.RUNS.parent / "stress"
PLAIN_SWITCH_US = 5000.0
"""CPython's own switch interval, in microseconds."""


@dataclass(frozen=True)
class Setting:
    """What one trial is put under; None where the target does not know of it.

    ``yields`` is the seed of the pauses, 0 for none. ``seed`` is the workload's, or a script's
    PYTHONHASHSEED.
    """

    switch_interval_us: float = PLAIN_SWITCH_US
    yields: int = 0
    workers: int | None = None
    seed: int | None = None
    start_method: str | None = None


@dataclass(frozen=True)
class Range:
    """The values of each part of a setting; the first of each are the plain ones."""

    switch_intervals_us: tuple[float, ...]
    yields: tuple[int, ...]
    workers: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()
    start_methods: tuple[str, ...] = ()

    def settings(self, count: int) -> list[Setting]:
        """Draw settings: the plain one, then others in which every value has its turn."""
        parts: list[Iterator[object]] = [
            _turns(values, number)
            for number, values in enumerate(
                (
                    self.switch_intervals_us,
                    self.yields,
                    self.workers,
                    self.seeds,
                    self.start_methods,
                )
            )
        ]
        return [Setting(*values) for values in itertools.islice(zip(*parts, strict=True), count)]


def _turns(values: tuple[object, ...], number: int) -> Iterator[object]:
    """Give the first value, then all of them, shuffled anew each time; always the same way."""
    if not values:
        yield from itertools.repeat(None)
    yield values[0]
    left = list(values[1:])
    draw = random.Random(number)  # noqa: S311 - not for secrets
    while True:
        draw.shuffle(left)
        yield from left
        left = list(values)


class Verdict(StrEnum):
    """What became of a trial."""

    OK = "ok"
    DIFFERS = "differs"
    HANGS = "hangs"
    FAILS = "fails"


@dataclass(frozen=True)
class Trial:
    """One trial: its setting, what became of it and why, and where its output is kept if bad."""

    number: int
    setting: Setting
    verdict: Verdict
    reason: str
    wall_ns: int
    folder: str | None = None


class Compare(StrEnum):
    """What of a script's trials must be equal."""

    OUTPUT = "output"
    EXIT = "exit"


@dataclass(frozen=True)
class StressPlan:
    """What to repeat, how often and under what.

    ``target`` gives the workload of a setting; a script has ``argv`` instead, and ``own`` are the
    beginnings of the paths of the target's own code. Times in seconds.
    """

    name: str
    target: Callable[[Setting], Target]
    argv: tuple[str, ...] | None
    own: tuple[str, ...]
    settings: tuple[Setting, ...]
    time_limit_s: float | None
    compare: Compare = Compare.OUTPUT


LIMIT_S = 60.0
"""How long the first trial may take where no limit is given."""
SLACK_S, SLOWER = 10.0, 30.0
"""The limit of the others: so long, and so many times what the first took; pauses slow a run."""


class Stress:
    """The trials under way; ``trials`` are those that are done."""

    def __init__(self, plan: StressPlan, folder: Path, progress: Callable[[str], None]) -> None:
        self.plan = plan
        self.folder = folder
        self.raw = folder.resolve() / store.RAW
        self.progress = progress
        self.interrupts = Interrupts()
        self.trials: list[Trial] = []
        self._limit_s = plan.time_limit_s or LIMIT_S
        self._expected: dict[int | None, str] = {}

    def execute(self) -> list[Trial]:
        """Carry out the trials until the last, or until Ctrl-C; RunFailedError if it can't be."""
        adopt_orphans()
        with self.interrupts.watched():
            for number, setting in enumerate(self.plan.settings, 1):
                self.progress(f"trial {number} of {len(self.plan.settings)}")
                try:
                    trial = self._trial(number, setting)
                except RunFailedError as error:
                    # What the earlier trials showed is not to be lost; the first says it all.
                    if not self.trials:
                        raise
                    trial = Trial(number, setting, Verdict.FAILS, str(error), 0)
                if self.interrupts.happened:
                    break
                self.trials.append(trial)
                if number == 1 and self.plan.time_limit_s is None and trial.verdict is Verdict.OK:
                    self._limit_s = SLACK_S + SLOWER * trial.wall_ns / 1e9
        return self.trials

    def _trial(self, number: int, setting: Setting) -> Trial:
        folder = self.raw / f"{number:03}"
        folder.mkdir()
        captured = Captured(folder / "output", folder / "errors")
        run = RunPlan(self.plan.target(setting), (), self.plan.argv, {}, self._limit_s)
        if self.plan.argv is None and setting.seed not in self._expected:
            self._expected[setting.seed] = self._reference(run, folder)
        with command.ready(run, folder, run.target.mode, 0) as ready:
            ended = self._run(ready.argv, _environment(self.plan, setting), captured)
            answer = ready.answer()
        if self.plan.argv is None:
            verdict, reason = _judge_workload(ended, answer, self._expected[setting.seed])
        else:
            verdict, reason = self._judge_script(ended, captured)
        if verdict is Verdict.HANGS:
            where = stuck_at(captured.errors, self.plan.own)
            reason = "; ".join((reason, *where)) if where else reason
        trial = Trial(number, setting, verdict, reason, answer.get("wall_ns", ended.wall_ns))
        if verdict is Verdict.OK:
            shutil.rmtree(folder)
            return trial
        return replace(trial, folder=str(self.folder / store.RAW / folder.name))

    def _reference(self, run: RunPlan, folder: Path) -> str:
        with command.ready(run, folder, None, 0) as ready:
            captured = Captured(folder / "reference-output", folder / "reference-errors")
            ended = self._run(ready.argv, {**os.environ, **WORKLOAD_DEFAULTS}, captured)
            answer = ready.answer()
        ready.answer_file.unlink(missing_ok=True)
        if "checksum" not in answer and not self.interrupts.happened:
            raise RunFailedError(
                f"The expected result of {run.target.name} could not be worked out: {ended.how}."
                f" Its own message is in {captured.errors}."
            )
        return str(answer.get("checksum"))

    def _run(
        self, argv: tuple[str, ...], environment: Mapping[str, str], captured: Captured
    ) -> Ended:
        child = Child(argv, environment, self._limit_s, Leftovers.STOP, captured)
        return child.run(self.interrupts, lambda _pid: contextlib.nullcontext())

    def _judge_script(self, ended: Ended, captured: Captured) -> tuple[Verdict, str]:
        """Compare with the first trial, which alone is right by definition."""
        if ended.timed_out:
            return Verdict.HANGS, ended.how
        if ended.exit_code != 0:
            return Verdict.FAILS, _with_last_line(ended.how, captured)
        digest = hashlib.sha256(captured.output.read_bytes()).hexdigest()
        first = self._expected.setdefault(None, digest)
        if digest != first and self.plan.compare is Compare.OUTPUT:
            return Verdict.DIFFERS, "its output is not that of the first trial"
        return Verdict.OK, ended.how


def _environment(plan: StressPlan, setting: Setting) -> dict[str, str]:
    """Return the environment of a trial, from which every process takes its pressure."""
    is_script = plan.argv is not None
    spec = {
        "switch_interval_s": setting.switch_interval_us / 1e6,
        "yields": setting.yields,
        "own": plan.own,
        "start_method": setting.start_method if is_script else None,
    }
    extra = {pressure.VARIABLE: json.dumps(spec), "PYTHONPATH": command.bootstrap_path()}
    if is_script:
        return {**os.environ, **extra, "PYTHONHASHSEED": str(setting.seed or 0)}
    return {**WORKLOAD_DEFAULTS, **os.environ, **extra}


def _judge_workload(
    ended: Ended, answer: Mapping[str, object], expected: str
) -> tuple[Verdict, str]:
    if ended.timed_out:
        return Verdict.HANGS, ended.how
    if "checksum" not in answer:
        return Verdict.FAILS, str(answer.get("error") or ended.how)
    if answer["checksum"] != expected:
        return Verdict.DIFFERS, "its result is not the right one"
    if ended.leftovers:
        return Verdict.FAILS, f"it left {len(ended.leftovers)} process(es) running"
    return Verdict.OK, ended.how


def _with_last_line(how: str, captured: Captured) -> str:
    lines = captured.errors.read_text("utf-8", "replace").strip().splitlines()
    return f"{how}: {lines[-1].strip()}" if lines else how
