"""The sentences about a run that the reports for people share."""

import signal
from dataclasses import dataclass
from enum import StrEnum

from concurtrace.model.masking import mask_arguments
from concurtrace.model.recording import Loss, Recording
from concurtrace.model.report import Report
from concurtrace.model.run import Execution, Pass, PassStatus, Target, TargetKind
from concurtrace.units import share_text, time_text

from ._text import printable, shorten, told, without_home

_ERROR_LIMIT = 400
_NAME_LIMIT = 120
_NOTE_LIMIT = 600
_LOSSES_NAMED = 3
BUSY = 0.1
"""The share of all cores from which on other programs are said to disturb: their CPU time can
lengthen a target that uses every core by as much, well above the spread of a quiet machine."""


class Tone(StrEnum):
    """How an outcome is to be taken; always shown by a word or shape too, never colour alone."""

    RIGHT = "right"
    ATTENTION = "attention"
    WRONG = "wrong"


@dataclass(frozen=True)
class Verdict:
    """The first sentences of a report."""

    tone: Tone
    text: str


@dataclass(frozen=True)
class Absence:
    """Why something was not recorded, what to do about it, and the command that does it."""

    why: str
    advice: str
    command: str


class NoteKind(StrEnum):
    """What a note is about: data that are missing, a doubt about numbers, or how to read them."""

    LOSS = "lost"
    DOUBT = "doubt"
    READING = "note"


@dataclass(frozen=True)
class Note:
    """Something to know about the numbers; ``about`` names a pass or an instrument."""

    kind: NoteKind
    about: str
    text: str

    @property
    def sentence(self) -> str:
        """The note by itself, where nothing beside it tells its kind."""
        lost = ", lost" if self.kind is NoteKind.LOSS else ""
        return f"{self.about}{lost}: {self.text}"


def subject(target: Target) -> str:
    """Name the target, as the subject of a sentence."""
    name = shorten(printable(without_home(target.name)), _NAME_LIMIT)
    if target.kind is TargetKind.WORKLOAD:
        return f"{name} in mode {target.mode}"
    if target.kind is TargetKind.MODULE:
        return f"python -m {name}"
    return "the code given with -c" if target.kind is TargetKind.CODE else name


def command_line(target: Target) -> str:
    """Write the command that records the same again."""
    if target.kind is not TargetKind.WORKLOAD:
        given = mask_arguments(target.argv[1:])
        return printable(without_home(" ".join(("concurtrace run", *map(_quoted, given)))))
    parts = [f"concurtrace profile {target.name} --mode {target.mode}"]
    for name, value in target.parameters.items():
        direct = name in ("size", "workers")
        parts.append(f"--{name} {value}" if direct else f"--param {name}={_quoted(str(value))}")
    return printable(" ".join(parts))


def _quoted(argument: str) -> str:
    plain = argument and all(char.isalnum() or char in "-_./=:,@%+~*" for char in argument)
    return argument if plain else "'" + argument.replace("'", "'\"'\"'") + "'"


def verdict(report: Report) -> Verdict:
    """Say how the run went: what a reader must know before any number."""
    outcome, name = report.outcome, _capital(subject(report.target))
    runs = [run for one in report.passes for run in one.executions]
    if not runs:
        return Verdict(Tone.WRONG, f"{name} was never run: {_reasons(report)}.")
    if outcome.interrupted:
        done = sum(one.status is PassStatus.OK for one in report.passes)
        many = f"{done} of {len(report.passes)} passes were finished"
        return Verdict(Tone.ATTENTION, f"{name} was interrupted: {many}.")
    bad = [one for one in report.passes if any(_went_wrong(run) for run in one.executions)]
    if bad:
        return Verdict(Tone.WRONG, _trouble(report, name, bad))
    false = [one for one in report.passes if one.verified is False]
    if false:
        return Verdict(Tone.WRONG, _wrong_result(report, name, false))
    return _success(report, name)


def _success(report: Report, name: str) -> Verdict:
    sentence = f"{name} ended without error in {_duration(report)}"
    if report.outcome.verified:
        sentence = f"{name} gave the right result in {_duration(report)}"
    short = [one for one in report.passes if one.status is not PassStatus.OK]
    if not short:
        return Verdict(Tone.RIGHT, sentence + ".")
    names = ", ".join(one.name for one in short)
    verb = "is" if len(short) == 1 else "are"
    return Verdict(Tone.ATTENTION, f"{sentence}. Not complete {verb}: {names}.")


def _duration(report: Report) -> str:
    chosen = measured_pass(report)
    if chosen is None:
        return "an unknown time"
    text = time_text(chosen.wall_ns)
    return text if chosen.name == "baseline" else f"{text} (measured in the pass {chosen.name})"


def _went_wrong(run: Execution) -> bool:
    return not run.ended_by_itself or bool(run.exit_code) or run.signal is not None


def _trouble(report: Report, name: str, bad: list[Pass]) -> str:
    run = next(run for run in bad[0].executions if _went_wrong(run))
    if run.standstill is not None:
        what = f"came to a standstill: {shorten(told(run.standstill), _ERROR_LIMIT)}"
    elif run.timed_out:
        what = "did not end within the time limit"
    elif run.error is not None:
        what = f"failed: {shorten(told(run.error), _ERROR_LIMIT)}"
    elif run.signal is not None:
        what = f"was ended by {signal_name(run.signal)}"
    else:
        what = f"ended with exit code {run.exit_code}"
    return f"{name} {what.rstrip('.')}{_where(report, bad)}."


def _wrong_result(report: Report, name: str, bad: list[Pass]) -> str:
    return f"{name} gave a wrong result{_where(report, bad)}."


def _where(report: Report, bad: list[Pass]) -> str:
    """Say which passes are meant, unless it is all that were carried out."""
    carried_out = [one for one in report.passes if one.executions]
    if len(bad) == len(carried_out):
        return ""
    return f" (in the pass {', '.join(one.name for one in bad)})"


def _reasons(report: Report) -> str:
    reasons = dict.fromkeys(one.reason for one in report.passes if one.reason)
    return "; ".join(printable(one).rstrip(".") for one in reasons) or "no pass was planned"


def signal_name(number: int) -> str:
    """Name a signal: ``signal 9 (SIGKILL)``."""
    known = {one.value: one.name for one in signal.Signals}
    return f"signal {number} ({known[number]})" if number in known else f"signal {number}"


def _capital(text: str) -> str:
    # Names of files and programs keep their case.
    return "The" + text[3:] if text.startswith("the ") else text


def measured_pass(report: Report) -> Pass | None:
    """Return the least disturbed pass that came to its end: its times are the ones to quote."""
    order = {"baseline": 0, "light": 1}
    ended = [one for one in report.passes if any(run.ended_by_itself for run in one.executions)]
    return min(ended, key=lambda one: order.get(one.name, len(order)), default=None)


def spread(one: Pass) -> str:
    """Say how far the executions of a pass lay apart, and how many there were."""
    walls = sorted(run.wall_ns for run in one.executions if run.ended_by_itself)
    if len(walls) < 2:
        return "one run"
    return f"{len(walls)} runs, {time_text(walls[0])} to {time_text(walls[-1])}"


def absence(report: Report, what: str, instrument: str) -> Absence:
    """Say why the part of the recording that an instrument fills is not there."""
    command = f"{command_line(report.target)} --with baseline,{instrument}"
    if report.target.kind is not TargetKind.WORKLOAD:
        run = "concurtrace run"
        command = command_line(report.target).replace(run, f"{run} --with baseline,{instrument}", 1)
    found = next((one for one in report.passes if instrument in one.instruments), None)
    if found is None:
        return Absence(
            f"{what} not recorded: the instrument {instrument} was not asked for.",
            "To record it:",
            command,
        )
    how = "left nothing to read"
    if found.reason or found.status is not PassStatus.OK:
        reason = told(found.reason or "no reason given").rstrip(".")
        how = f"is marked {found.status} ({reason})"
    return Absence(
        f"{what} not recorded: the pass {found.name} {how}.",
        "To see what works on this machine and why:",
        "concurtrace doctor",
    )


def notes(report: Report) -> tuple[Note, ...]:
    """Gather what there is to know about the numbers: losses, doubts, then how to read them."""
    recording = report.recording
    said = [
        Note(NoteKind.READING, name, _shown(text))
        for name, texts in _texts(recording)
        for text in texts
    ]
    return tuple(dict.fromkeys((*_lost(recording), *_load(report), *_leftovers(report), *said)))


def _shown(text: str) -> str:
    return shorten(told(text), _NOTE_LIMIT).rstrip(".")


def _lost(recording: Recording) -> list[Note]:
    """Tell losses with one reason together: a pool of killed workers is one thing to know."""
    together: dict[tuple[str, str], list[str]] = {}
    for name, losses in _losses(recording):
        for loss in losses:
            together.setdefault((name, loss.reason), []).append(loss.what)
    return [
        Note(NoteKind.LOSS, name, _shown(f"{_some(what)}: {reason}"))
        for (name, reason), what in together.items()
    ]


def _some(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    if len(names) == 1:
        return names[0]
    if len(names) <= _LOSSES_NAMED:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:_LOSSES_NAMED])} and {len(names) - _LOSSES_NAMED} more"


def _losses(recording: Recording) -> list[tuple[str, tuple[Loss, ...]]]:
    parts = (
        ("functions", recording.functions),
        ("lines", recording.lines),
        ("memory", recording.memory_lines),
        ("memory", recording.memory),
        ("timeline", recording.timeline),
        ("states", recording.trace),
        ("tasks", recording.tasks),
    )
    return [(name, part.losses) for name, part in parts if part is not None]


def _texts(recording: Recording) -> list[tuple[str, tuple[str, ...]]]:
    parts = (
        ("functions", recording.functions),
        ("lines", recording.lines),
        ("memory", recording.memory_lines),
        ("timeline", recording.timeline),
        ("states", recording.trace),
    )
    return [(name, part.notes) for name, part in parts if part is not None]


def _load(report: Report) -> list[Note]:
    """Say in which passes the machine was busy with something else."""
    busy = [
        f"{share_text(one.competing_load)} in the pass {one.name}"
        for one in report.passes
        if one.competing_load is not None and one.competing_load >= BUSY
    ]
    if not busy:
        return []
    text = f"other programs took some of all cores' time: {', '.join(busy)}; times may be too long"
    return [Note(NoteKind.DOUBT, "the machine", text)]


def _leftovers(report: Report) -> list[Note]:
    return [
        Note(
            NoteKind.DOUBT,
            f"pass {one.name}",
            f"processes still ran when the first one had ended: {', '.join(map(str, pids))}",
        )
        for one in report.passes
        if (pids := sorted({pid for run in one.executions for pid in run.leftovers}))
    ]
