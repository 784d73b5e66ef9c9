"""Carry out a run: one fresh child per pass and execution, its status into the manifest."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from concurtrace.errors import ConcurtraceError, RunFailedError
from concurtrace.instruments import Instrument
from concurtrace.launch import agent, command, describe
from concurtrace.launch.interrupts import Interrupts
from concurtrace.launch.load import competing_load, machine_busy_ns
from concurtrace.launch.nudge import nudging
from concurtrace.launch.plan import PassPlan, RunPlan
from concurtrace.launch.process import Child, Ended, Leftovers, adopt_orphans, never_stuck
from concurtrace.launch.standstill import Guard
from concurtrace.launch.strain import StrainMeter
from concurtrace.model.run import Execution, Pass, PassStatus, TargetKind
from concurtrace.rundir import manifest, store
from concurtrace.rundir.manifest import Manifest, RunStatus, structure_environment

Progress = Callable[[str], None]

# What makes runs repeatable and known traps harmless; a variable that the user set wins.
WORKLOAD_DEFAULTS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYCSP_HOST": "127.0.0.1",
    "PYTHONHASHSEED": "0",
}


class Launcher:
    """A run under way; the manifest on disk is right after each of its passes."""

    def __init__(
        self,
        plan: RunPlan,
        folder: Path,
        started_at: str,
        progress: Progress,
        interrupts: Interrupts | None = None,
    ) -> None:
        self.plan = plan
        self.raw = folder.resolve() / store.RAW
        self.progress = progress
        self.interrupts = interrupts or Interrupts()
        self.manifest = Manifest(
            folder.name, started_at, RunStatus.RUNNING, plan.target, options=plan.options
        )

    def execute(self) -> Manifest:
        """Carry out every pass; RunFailedError if the target can't be run at all."""
        with self.interrupts.watched():
            for _ in self.steps():
                pass
        return self.manifest

    def steps(self, like: Manifest | None = None) -> Iterator[None]:
        """Carry out the run, one execution of the target at a time: others may go between.

        ``like`` is a run of the same work whose expected result and environment hold here too.
        """
        self._save()
        adopt_orphans()
        try:
            self._prepare(like)
        except OSError as error:
            raise RunFailedError(f"Cannot prepare the run: {error}.") from error
        for pass_plan in self.plan.passes:
            done = yield from self._pass(pass_plan)
            self._save(passes=(*self.manifest.passes, done))
        interrupted = self.interrupts.happened
        self._save(status=RunStatus.INTERRUPTED if interrupted else RunStatus.FINISHED)

    def _save(self, **changes: Any) -> None:
        self.manifest = dataclasses.replace(self.manifest, **changes)
        manifest.write(self.manifest, self.raw.parent)

    def _prepare(self, like: Manifest | None) -> None:
        """Let a child describe itself; for a workload, let it work out the expected result too."""
        if like is not None and like.target.parameters == self.plan.target.parameters:
            self._save(environment=like.environment, expected_checksum=like.expected_checksum)
            return
        raw = self.raw / "reference"
        raw.mkdir()
        if self.plan.target.kind is not TargetKind.WORKLOAD:
            described = subprocess.run(
                (sys.executable, "-m", describe.__name__), stdout=subprocess.PIPE, check=True
            )
            self._save(environment=structure_environment(json.loads(described.stdout)))
            return
        self.progress("working out the expected result")
        with command.ready(self.plan, raw, None, 0) as ready:
            ended = self._run(ready.argv, {}, _nothing)
            answer = ready.answer()
        if "checksum" not in answer and not self.interrupts.happened:
            raise RunFailedError(
                f"The expected result of {self.plan.target.name} could not be worked out:"
                f" {ended.how}. Its own message is above."
            )
        if answer:
            self._save(
                environment=structure_environment(answer["environment"]),
                expected_checksum=answer["checksum"],
            )

    def _pass(self, plan: PassPlan) -> Generator[None, None, Pass]:
        """Carry out one pass; whatever goes wrong is its status and reason, not an exception."""
        missing = {one.name: reason for one in plan.instruments if (reason := one.missing())}
        able = tuple(one for one in plan.instruments if one.name not in missing)
        if self.interrupts.happened:
            return _not_done(plan, PassStatus.SKIPPED, "the run was interrupted")
        if not able:
            return _not_done(plan, PassStatus.SKIPPED, "; ".join(missing.values()))
        executions: list[Execution] = []
        try:
            (self.raw / plan.name).mkdir()
            for number in range(plan.repeat):
                count = f" ({number + 1} of {plan.repeat})" if plan.repeat > 1 else ""
                self.progress(f"pass {plan.name}{count}")
                executions.append(self._execution(plan.name, able, number))
                yield
                if self.interrupts.happened or not executions[-1].ended_by_itself:
                    break
        except (ConcurtraceError, OSError) as error:
            return dataclasses.replace(
                _not_done(plan, PassStatus.FAILED, str(error)), executions=tuple(executions)
            )
        return self._judge(able, plan.name, executions, list(missing.values()))

    def _judge(
        self,
        able: tuple[Instrument, ...],
        name: str,
        executions: list[Execution],
        reasons: list[str],
    ) -> Pass:
        last = executions[-1]
        status = PassStatus.OK
        if self.interrupts.happened or not last.ended_by_itself:
            status = PassStatus.PARTIAL
            reasons.append("the run was interrupted" if self.interrupts.happened else last.trouble)
        checksums = {run.checksum for run in executions if run.checksum is not None}
        expected = self.manifest.expected_checksum
        return Pass(
            name=name,
            instruments=tuple(one.name for one in able),
            status=status,
            reason="; ".join(reasons) or None,
            executions=tuple(executions),
            verified=checksums == {expected} if expected and checksums else None,
            overhead=self._overhead(last) if status is PassStatus.OK else None,
            competing_load=competing_load(executions),
        )

    def _overhead(self, last: Execution) -> float | None:
        baseline = next((one for one in self.manifest.passes if one.name == "baseline"), None)
        if baseline is None or not baseline.wall_ns:
            return None
        return last.wall_ns / baseline.wall_ns

    def _execution(self, name: str, able: tuple[Instrument, ...], number: int) -> Execution:
        raw = self.raw / name
        options = {one.name: self.plan.options.get(one.name, {}) for one in able}
        extra: dict[str, str] = {}
        for one in able:
            (raw / one.name).mkdir(exist_ok=True)
            extra |= one.environment(raw / one.name, options[one.name])
        if name != "baseline":
            extra |= self._station_agent(raw, able)

        @contextlib.contextmanager
        def beside(pid: int) -> Iterator[None]:
            with ExitStack() as stack:
                stack.enter_context(nudging(raw / "processes"))
                for one in able:
                    stack.enter_context(one.beside(pid, raw / one.name, options[one.name]))
                yield

        with command.ready(self.plan, raw, self.plan.target.mode, number) as ready:
            live = [raw / one.name for one in able if one.tells_live]
            look = Guard(live[0]).look if live else never_stuck
            meter, before_ns = StrainMeter(), machine_busy_ns()
            with meter.counted():
                ended = self._run(ready.argv, extra, beside, look)
            answer = {"machine_busy_ns": machine_busy_ns() - before_ns, **ready.answer()}
        strain = meter.result(ended.major_faults)
        return dataclasses.replace(self._execution_of(ended, answer), strain=strain)

    def _station_agent(self, raw: Path, able: tuple[Instrument, ...]) -> dict[str, str]:
        """Write what the agents in the target's processes need; return how they find it."""
        processes = raw / "processes"
        processes.mkdir(exist_ok=True)
        spec = {
            "launcher_pid": os.getpid(),
            "begin": "by-harness" if self.plan.command is None else "at-start",
            "processes": str(processes),
            "modules": command.modules(self.plan),
            "ends": any(one.has_probe or one.needs_ends for one in able),
            "instruments": [
                {
                    "module": type(one).__module__,
                    "out": str(raw / one.name),
                    "options": dict(self.plan.options.get(one.name, {})),
                    "on_import": one.on_import,
                }
                for one in able
                if one.has_probe
            ],
        }
        path = raw / store.AGENT_SPEC
        path.write_text(json.dumps(spec), encoding="utf-8")
        return {agent.VARIABLE: str(path), "PYTHONPATH": command.bootstrap_path()}

    def _run(
        self,
        argv: tuple[str, ...],
        extra: Mapping[str, str],
        beside: Callable[[int], AbstractContextManager[None]],
        look: Callable[[int], str | None] = never_stuck,
    ) -> Ended:
        is_workload = self.plan.target.kind is TargetKind.WORKLOAD
        environment = {**(WORKLOAD_DEFAULTS if is_workload else {}), **os.environ, **extra}
        # A daemon that a user's program starts is meant to stay; a workload's is a leak.
        leftovers = Leftovers.STOP if is_workload else Leftovers.LEAVE
        limit_s = self.plan.time_limit_s
        child = Child(argv, environment, limit_s, leftovers, look=look)
        return child.run(self.interrupts, beside)

    def _execution_of(self, ended: Ended, answer: Mapping[str, Any]) -> Execution:
        error = answer.get("error")
        is_workload = self.plan.target.kind is TargetKind.WORKLOAD
        if error is None and (ended.signal or (is_workload and "wall_ns" not in answer)):
            error = ended.how if not is_workload else f"{ended.how}, without a result"
        return Execution(
            wall_ns=answer.get("wall_ns", ended.wall_ns),
            cpu_ns=answer.get("cpu_ns", ended.cpu_ns) + ended.unwaited_cpu_ns,
            start_ns=answer.get("start_ns", ended.start_ns),
            exit_code=ended.exit_code,
            signal=ended.signal,
            timed_out=ended.timed_out,
            standstill=ended.standstill,
            checksum=answer.get("checksum"),
            observed=answer.get("observed", {}),
            machine_busy_ns=answer["machine_busy_ns"],
            error=error,
            leftovers=ended.leftovers,
        )


@contextlib.contextmanager
def _nothing(_pid: int) -> Iterator[None]:
    yield


def _not_done(plan: PassPlan, status: PassStatus, reason: str) -> Pass:
    return Pass(plan.name, tuple(one.name for one in plan.instruments), status, reason)
