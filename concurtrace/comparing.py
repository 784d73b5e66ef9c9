"""Compare modes of a workload, and runs with each other: record, load and render."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from concurtrace import api, discovery
from concurtrace.analysis.comparison import checked, ranked, trouble
from concurtrace.analysis.difference import difference
from concurtrace.analysis.ledger import ledger
from concurtrace.analysis.scaling import scaling
from concurtrace.diagnosis.case import Case
from concurtrace.diagnosis.comparison import comparison_verdict
from concurtrace.discovery import Kind
from concurtrace.errors import UsageError
from concurtrace.launch.interrupts import Interrupts
from concurtrace.launch.launcher import Launcher
from concurtrace.launch.plan import RunPlan
from concurtrace.launch.rounds import take_turns
from concurtrace.model.comparison import Comparison, Ledger, ModeResult, Scaling, name_of
from concurtrace.model.difference import Difference
from concurtrace.model.report import Report
from concurtrace.model.run import Target, TargetKind, Value
from concurtrace.rundir import comparison as manifests
from concurtrace.rundir import store
from concurtrace.rundir.comparison import ComparedRun, ComparisonManifest
from concurtrace.rundir.manifest import RunStatus

SEQUENTIAL = "sequential"


@dataclass(frozen=True)
class Variation:
    """One of the runs to compare; ``workers`` is None where their number is not varied."""

    plan: RunPlan
    workers: int | None = None

    @property
    def mode(self) -> str:
        """Its mode."""
        return self.plan.target.mode or ""

    @property
    def label(self) -> str:
        """What its folder is called."""
        return self.mode if self.workers is None else f"{self.mode}-{self.workers}"


def reference_of(modes: tuple[str, ...]) -> str:
    """Choose what the others are compared with: the sequential mode, else the first."""
    return SEQUENTIAL if SEQUENTIAL in modes else modes[0]


def record_comparison(
    variations: tuple[Variation, ...],
    rounds: int,
    left_out: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda _message: None,
) -> Path:
    """Carry out every run in turns and return the directory; the first is the reference."""
    first = variations[0].plan.target
    folder = store.create(Target(TargetKind.WORKLOAD, first.name, "compare"))
    started_at = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    runs = tuple(
        ComparedRun(one.mode, one.workers, f"{manifests.MODES}/{one.label}") for one in variations
    )
    manifest = ComparisonManifest(
        folder.name,
        started_at,
        RunStatus.RUNNING,
        first.name,
        _shared([one.plan.target.parameters for one in variations]),
        name_of(variations[0].mode, variations[0].workers),
        rounds,
        runs,
        left_out,
    )
    manifests.write(manifest, folder)
    interrupts = Interrupts()
    launchers = tuple(
        Launcher(
            one.plan,
            store.create_inside(folder / manifests.MODES, one.label),
            started_at,
            _named(progress, one.label),
            interrupts,
        )
        for one in variations
    )
    take_turns(launchers, interrupts)
    status = RunStatus.INTERRUPTED if interrupts.happened else RunStatus.FINISHED
    manifests.write(dataclasses.replace(manifest, status=status), folder)
    return folder


def load_comparison(folder: Path) -> Comparison:
    """Read a comparison; RunDataError says what is damaged and where."""
    found = manifests.read(folder)
    results = [_result(folder, one) for one in found.runs]
    reports = [one.report for one in results]
    modes = ranked(results, found.reference)
    return Comparison(
        run=found.run,
        run_path=str(folder),
        started_at=found.started_at,
        workload=found.workload,
        parameters=found.parameters,
        environment=reports[0].environment,
        reference=found.reference,
        rounds=found.rounds,
        interrupted=found.status is not RunStatus.FINISHED,
        modes=modes,
        verdict=comparison_verdict(modes, found.reference),
        predictions=checked(modes),
        scaling=_scaling(modes, api.cores_of(reports[0].environment)),
        notes=found.left_out,
    )


def render(comparison: Comparison, format_name: str) -> bytes:
    """Render a comparison in one format; UsageError if there is none of that name."""
    return _encoded(discovery.load(Kind.COMPARISON, format_name).RENDERER.render(comparison))


def load_difference(before: str, after: str) -> Difference:
    """Read two runs, by what names them, and say what changed; UsageError for a comparison."""
    folders = [store.find(one) for one in (before, after)]
    for folder in folders:
        if manifests.is_comparison(folder):
            raise UsageError(
                f"{folder.name} is a comparison of several runs: give two of them, such as"
                f" {folder / manifests.read(folder).runs[0].folder}."
            )
    old, new = (api.load(folder) for folder in folders)
    return difference(old, new)


def render_difference(found: Difference, format_name: str) -> bytes:
    """Render a difference in one format; UsageError if there is none of that name."""
    return _encoded(discovery.load(Kind.DIFFERENCE, format_name).RENDERER.render(found))


def _encoded(rendered: str | bytes) -> bytes:
    return rendered.encode() if isinstance(rendered, str) else bytes(rendered)


def _result(folder: Path, one: ComparedRun) -> ModeResult:
    report = api.load(folder / one.folder)
    undisturbed = report.find_pass("baseline")
    runs = undisturbed.executions if undisturbed else ()
    return ModeResult(
        one.mode,
        one.workers,
        one.folder,
        report,
        tuple(run.wall_ns for run in runs if run.ended_by_itself),
        None,
        None,
        _ledger(report),
        trouble(undisturbed, interrupted=report.outcome.interrupted),
    )


def _ledger(report: Report) -> Ledger | None:
    case = Case(report.recording, report.passes, report.environment, report.target)
    return ledger(case.trace, case.cores) if len(case.trace.spans) else None


def _scaling(modes: tuple[ModeResult, ...], cores: float) -> tuple[Scaling, ...]:
    walls: dict[str, dict[int, tuple[int, ...]]] = {}
    for one in modes:
        if one.workers is not None and one.trouble is None and one.walls_ns:
            walls.setdefault(one.mode, {})[one.workers] = one.walls_ns
    found = (scaling(mode, times, cores) for mode, times in walls.items())
    return tuple(one for one in found if one is not None)


def _shared(all_parameters: list[Mapping[str, Value]]) -> dict[str, Value]:
    first = all_parameters[0]
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in all_parameters)
    }


def _named(progress: Callable[[str], None], label: str) -> Callable[[str], None]:
    return lambda message: progress(f"{label}: {message}")
