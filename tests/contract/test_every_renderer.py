"""What holds for every renderer, whoever wrote it."""

from dataclasses import replace
from pathlib import Path

import pytest

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.model.report import Report
from tests import builders
from tests.builders_hostile import HOSTILE, hostile

NAMES = list(discovery.modules(Kind.RENDERER))
HIDDEN = "correct-horse-battery-staple"


def render(name: str, report: Report) -> bytes:
    rendered = discovery.load(Kind.RENDERER, name).RENDERER.render(report)
    # As the commands do: a lone surrogate in the text would raise here.
    return rendered.encode() if isinstance(rendered, str) else bytes(rendered)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_it_says_what_it_is(name: str) -> None:
    module = discovery.load(Kind.RENDERER, name)
    assert module.__doc__
    assert module.RENDERER.name == name
    assert module.RENDERER.suffix.startswith(".")


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(builders.everything(), id="everything"),
        pytest.param(builders.report(), id="nothing but a baseline"),
        pytest.param(
            builders.report(builders.not_done("baseline", "it cannot start")), id="no execution"
        ),
        pytest.param(builders.report(interrupted=True), id="interrupted"),
    ],
)
def test_it_renders_whatever_was_recorded(name: str, report: Report) -> None:
    once = render(name, report)
    assert once
    assert render(name, report) == once


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_renders_any_name(name: str, kind: str) -> None:
    assert render(name, hostile(HOSTILE[kind]))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--api-token", HIDDEN),
        (f"--password={HIDDEN}",),
        (f"--Signing-KEY={HIDDEN}",),
        (f"DB_PASSWORD={HIDDEN}",),
        (f"postgres://me:{HIDDEN}@db/shop",),
    ],
    ids=lambda arguments: arguments[0].partition("=")[0].partition(":")[0],
)
def test_it_keeps_secrets(name: str, arguments: tuple[str, ...]) -> None:
    target = builders.script("shop.py", *arguments)
    report = replace(builders.everything(), target=target)
    assert HIDDEN.encode() not in render(name, report)


def test_it_keeps_secrets_of_child_processes_and_messages(name: str) -> None:
    report = builders.everything()
    trace = report.recording.trace
    assert trace is not None
    commands = (
        ("/bin/sh", "-c", f"dump --password {HIDDEN}"),
        ("mysql", f"-p{HIDDEN}", "shop"),
    )
    processes = tuple(
        replace(one, name=f"dump --api-token {HIDDEN}", command=command)
        for one, command in zip(trace.processes, commands, strict=True)
    )
    said = f"cannot open postgres://me:{HIDDEN}@db"
    failed = builders.not_done("memory", said)
    report = replace(
        report,
        recording=replace(report.recording, trace=replace(trace, processes=processes)),
        outcome=replace(report.outcome, error=said),
        passes=(*report.passes, failed),
    )
    assert HIDDEN.encode() not in render(name, builders.with_states(report))


def test_it_holds_no_environment_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_ENDPOINT", HIDDEN)
    assert HIDDEN.encode() not in render(name, builders.everything())


def test_it_never_obeys_a_terminal_sequence(name: str) -> None:
    # Lone bytes of 0x1b mean nothing in a binary format; the sequences must not come through.
    made = render(name, hostile("\x1b]0;title\x07\x1b[2J"))
    assert not any(one in made for one in (b"\x1b]0;title", b"\x1b[2J", b"title\x07"))


def test_text_for_people_shows_home_as_a_tilde(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "json":
        pytest.skip("JSON is for programs, which need the paths as they are")
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: cls("/home/somebody")))
    report = builders.everything(file="/home/somebody/shop/crawl.py")
    trace = report.recording.trace
    assert trace is not None
    objects = tuple(replace(one, text="/home/somebody/shop/pages.db") for one in trace.objects)
    failed = builders.not_done("memory", "cannot write /home/somebody/full: no space")
    report = replace(
        report,
        passes=(*report.passes, failed),
        run_path="/home/somebody/other/runs/one",
        recording=replace(report.recording, trace=replace(trace, objects=objects)),
    )
    assert b"/home/somebody" not in render(name, report)
