"""The whole program in four functions: record, load, diagnose, render."""

import datetime
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from concurtrace import discovery
from concurtrace.analysis.hot import find_hot
from concurtrace.analysis.loops import unknown_loops
from concurtrace.analysis.places import own_files
from concurtrace.analysis.polls import with_polls
from concurtrace.analysis.states import states_report
from concurtrace.analysis.tasks import tasks_report
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.engine import Diagnosis, judge
from concurtrace.discovery import Kind
from concurtrace.errors import RunDataError
from concurtrace.launch.launcher import Launcher
from concurtrace.launch.plan import RunPlan
from concurtrace.model.recording import Recording, SourceFile
from concurtrace.model.report import Artifact, Outcome, Report, StatesReport
from concurtrace.model.run import Environment
from concurtrace.model.task_report import TasksReport
from concurtrace.model.tasks import TaskTrace
from concurtrace.rundir import manifest, store
from concurtrace.rundir.manifest import Manifest, RunStatus
from concurtrace.rundir.sources import source_files


def record(plan: RunPlan, progress: Callable[[str], None] = lambda _message: None) -> Path:
    """Carry out a run and return its directory; what happened is in there, also when it failed."""
    folder = store.create(plan.target)
    started_at = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    Launcher(plan, folder, started_at, progress).execute()
    return folder


def load(folder: Path) -> Report:
    """Read a run directory into a report; RunDataError says what is damaged and where."""
    found = manifest.read(folder)
    if found.environment is None:
        raise RunDataError(
            f"{folder} holds no finished pass: the run was stopped before the first."
        )
    recording = _read_recording(folder, found)
    diagnosis = diagnose(found, recording)
    return Report(
        run=found.run,
        run_path=str(folder),
        started_at=found.started_at,
        target=found.target,
        environment=found.environment,
        outcome=_outcome(found),
        passes=found.passes,
        recording=recording,
        hot=find_hot(recording),
        artifacts=_artifacts(folder, recording),
        findings=diagnosis.findings,
        states=_states(found, recording),
        tasks=_tasks(recording),
        verdict=diagnosis.verdict,
        critical_path=diagnosis.critical_path,
        path=diagnosis.path,
        predictions=diagnosis.predictions,
    )


def diagnose(found: Manifest, recording: Recording) -> Diagnosis:
    """Judge a run by every rule, and say what it comes to."""
    return judge(Case(recording, found.passes, found.environment, found.target))


def render(report: Report, format_name: str) -> bytes:
    """Render a report in one format; UsageError if there is none of that name."""
    rendered = discovery.load(Kind.RENDERER, format_name).RENDERER.render(report)
    return rendered.encode() if isinstance(rendered, str) else bytes(rendered)


def cores_of(environment: Environment) -> float:
    """Return how many cores the target could use."""
    return Case(Recording(), environment=environment).cores


def _read_recording(folder: Path, found: Manifest) -> Recording:
    recording = Recording()
    for one in found.passes:
        for name in one.instruments:
            out = folder / store.RAW / one.name / name
            if out.is_dir():
                instrument = discovery.load(Kind.INSTRUMENT, name).INSTRUMENT
                recording = recording.merge(instrument.read(out, found.options.get(name, {})))
    if recording.tasks is not None and recording.trace is not None:
        recording = replace(recording, tasks=with_polls(recording.tasks, recording.trace))
    return replace(recording, sources=_sources(folder, found, recording))


def _sources(folder: Path, found: Manifest, recording: Recording) -> tuple[SourceFile, ...] | None:
    """Get the text of the files that the stacks of waits and tasks lead to."""
    stacks = [one.stacks for one in (recording.trace, recording.tasks) if one is not None]
    files = [file for one in stacks for file in own_files(one)]
    return source_files(folder, files, found.started_at) if files else None


def _states(found: Manifest, recording: Recording) -> StatesReport | None:
    recorded_by = next((one for one in found.passes if "states" in one.instruments), None)
    if recording.trace is None or recorded_by is None:
        return None
    return states_report(recording.trace, recorded_by)


def _tasks(recording: Recording) -> TasksReport | None:
    tasks, trace = recording.tasks, recording.trace
    if tasks is not None and tasks.processes:
        return tasks_report(tasks, trace)
    # Loops of frameworks that are not known are told by the states of their threads alone.
    if trace is not None and unknown_loops(trace, set()):
        return tasks_report(TaskTrace.nothing(), trace)
    return None


def _outcome(found: Manifest) -> Outcome:
    """Sum up the executions of all passes: the first that went wrong speaks for the run."""
    runs = [run for one in found.passes for run in one.executions]
    wrong = [run for run in runs if not run.ended_by_itself or run.exit_code]
    shown = next(iter(wrong or runs), None)
    verdicts = [one.verified for one in found.passes if one.verified is not None]
    return Outcome(
        exit_code=shown.exit_code if shown else None,
        signal=shown.signal if shown else None,
        timed_out=any(run.timed_out for run in runs),
        interrupted=found.status is not RunStatus.FINISHED,
        checksum=next((run.checksum for run in runs if run.checksum), None),
        expected_checksum=found.expected_checksum,
        verified=all(verdicts) if verdicts else None,
        error=shown.error if shown else None,
        standstill=next((run.standstill for run in runs if run.standstill), None),
    )


def _artifacts(folder: Path, recording: Recording) -> tuple[Artifact, ...]:
    if recording.timeline is None:
        return ()
    path = Path(recording.timeline.file)
    how = f"vizviewer {path}, or drop the file into ui.perfetto.dev"
    relative = os.path.relpath(path, folder)
    return (Artifact("timeline (viztracer)", relative, path.stat().st_size, how),)
