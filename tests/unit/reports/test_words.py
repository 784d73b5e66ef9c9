import shlex
from dataclasses import replace

import pytest
from concurtrace.reports import _words
from concurtrace.reports._words import NoteKind, Tone

from concurtrace.model.recording import Loss
from concurtrace.model.report import Report
from concurtrace.model.run import PassStatus, Target, TargetKind
from tests import builders
from tests.builders import execution, not_done, one_pass, report


@pytest.mark.parametrize(
    ("given", "tone", "text"),
    [
        (report(), Tone.RIGHT, "crawler in mode async gave the right result in 105 ms."),
        (
            report(one_pass("baseline", 100, verified=None), verified=None),
            Tone.RIGHT,
            "crawler in mode async ended without error in 100 ms.",
        ),
        (
            report(one_pass("light", 100)),
            Tone.RIGHT,
            "crawler in mode async gave the right result in 100 ms (measured in the pass light).",
        ),
        (
            report(one_pass("baseline", 100), not_done("memory", "it is not installed")),
            Tone.ATTENTION,
            "crawler in mode async gave the right result in 100 ms. Not complete is: memory.",
        ),
        (
            report(one_pass("baseline", 100), one_pass("lines", 300, verified=False)),
            Tone.WRONG,
            "crawler in mode async gave a wrong result (in the pass lines).",
        ),
        (
            report(one_pass("baseline", 100, verified=False)),
            Tone.WRONG,
            "crawler in mode async gave a wrong result.",
        ),
        (
            report(one_pass("baseline", executions=(execution(error="ValueError: 3"),))),
            Tone.WRONG,
            "crawler in mode async failed: ValueError: 3.",
        ),
        (
            report(one_pass("baseline", executions=(execution(timed_out=True, exit_code=None),))),
            Tone.WRONG,
            "crawler in mode async did not end within the time limit.",
        ),
        (
            report(one_pass("baseline", executions=(execution(exit_code=None, signal=9),))),
            Tone.WRONG,
            "crawler in mode async was ended by signal 9 (SIGKILL).",
        ),
        (
            report(
                one_pass("baseline", executions=(execution(exit_code=5),)),
                target=builders.script("shop.py"),
            ),
            Tone.WRONG,
            "shop.py ended with exit code 5.",
        ),
        (
            report(one_pass("baseline", 100), not_done("lines", "x"), interrupted=True),
            Tone.ATTENTION,
            "crawler in mode async was interrupted: 1 of 2 passes were finished.",
        ),
        (
            report(not_done("baseline", "the service failed")),
            Tone.WRONG,
            "crawler in mode async was never run: the service failed.",
        ),
    ],
)
def test_the_first_sentence(given: Report, tone: Tone, text: str) -> None:
    said = _words.verdict(given)
    assert (said.tone, said.text) == (tone, text)


def test_times_are_quoted_from_the_baseline_whatever_the_order() -> None:
    given = report(one_pass("functions", 300), one_pass("light", 110), one_pass("baseline", 100))
    chosen = _words.measured_pass(given)
    assert chosen is not None
    assert chosen.name == "baseline"


def test_a_pass_that_never_ended_is_not_quoted() -> None:
    broken = one_pass("baseline", executions=(execution(error="no"),))
    assert _words.measured_pass(report(broken)) is None


def test_absence_of_what_was_not_asked_for_gives_the_command() -> None:
    gone = _words.absence(report(), "Memory was", "memory")
    assert gone.why == "Memory was not recorded: the instrument memory was not asked for."
    assert gone.command == (
        "concurtrace profile crawler --mode async --size 120 --workers 8 --with baseline,memory"
    )


def test_absence_after_a_failure_gives_the_reason() -> None:
    given = report(not_done("memory", "memory_profiler is not installed.", PassStatus.FAILED))
    gone = _words.absence(given, "Memory was", "memory")
    assert "the pass memory is marked failed (memory_profiler is not installed)." in gone.why
    assert gone.command == "concurtrace doctor"


@pytest.mark.parametrize(
    "arguments", [("a b", "--x='1'", "$HOME", ""), ("plain", "--size=3"), ("don't", "back\\slash")]
)
def test_the_command_of_a_script_survives_a_shell(arguments: tuple[str, ...]) -> None:
    target = builders.script("shop.py", *arguments)
    assert shlex.split(_words.command_line(target)) == [
        "concurtrace",
        "run",
        "shop.py",
        *arguments,
    ]


def test_the_command_names_every_parameter() -> None:
    target = builders.workload(size=3, parser="html.parser")
    assert shlex.split(_words.command_line(target)) == [
        "concurtrace",
        "profile",
        "crawler",
        "--mode",
        "async",
        "--size",
        "3",
        "--param",
        "parser=html.parser",
    ]


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target(TargetKind.MODULE, "http.server"), "python -m http.server"),
        (Target(TargetKind.CODE, "-c"), "the code given with -c"),
    ],
)
def test_every_kind_of_target_has_a_name(target: Target, name: str) -> None:
    assert _words.subject(target) == name


def test_notes_come_as_losses_doubts_and_how_to_read() -> None:
    made = builders.everything()
    busy = replace(made.passes[0], competing_load=0.5)
    left = one_pass("light", executions=(execution(leftovers=(7, 8)),))
    found = _words.notes(replace(made, passes=(busy, left)))
    assert [note.kind for note in found] == [
        NoteKind.LOSS,
        NoteKind.DOUBT,
        NoteKind.DOUBT,
        NoteKind.READING,
    ]
    assert "50 % in the pass baseline" in found[1].text
    assert found[2].text.endswith("7, 8")


@pytest.mark.parametrize(
    ("many", "text"),
    [
        (1, "worker 0: killed"),
        (3, "worker 0, worker 1 and worker 2: killed"),
        (8, "worker 0, worker 1, worker 2 and 5 more: killed"),
    ],
)
def test_losses_of_one_reason_are_told_together(many: int, text: str) -> None:
    losses = tuple(Loss(f"worker {number}", "killed") for number in range(many))
    found = _words.notes(report(recording=builders.functions(losses=losses)))
    assert [note.text for note in found] == [text]


def test_a_quiet_machine_gives_no_doubt() -> None:
    assert _words.notes(report()) == ()


def test_a_spread_needs_two_runs() -> None:
    assert _words.spread(one_pass("baseline", 100)) == "one run"
    assert _words.spread(one_pass("baseline", 300, 100)) == "2 runs, 100 ms to 300 ms"


@pytest.mark.parametrize(("number", "text"), [(15, "signal 15 (SIGTERM)"), (99, "signal 99")])
def test_signals_have_names(number: int, text: str) -> None:
    assert _words.signal_name(number) == text
