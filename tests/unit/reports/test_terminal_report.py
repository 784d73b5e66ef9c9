from dataclasses import replace

import pytest
from concurtrace.reports.terminal import COLUMNS, RENDERER

from concurtrace.model.run import PassStatus
from tests import builders
from tests.builders import not_done, one_pass, report
from tests.builders_hostile import HOSTILE, hostile


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_line_is_longer_than_the_terminal(kind: str) -> None:
    text = RENDERER.render(hostile(HOSTILE[kind]))
    assert max(map(len, text.splitlines())) <= COLUMNS


def test_the_first_words_are_the_outcome() -> None:
    assert RENDERER.render(report()).startswith(
        "OK: crawler in mode async gave the right result in 105 ms."
    )
    wrong = report(one_pass("baseline", 100, verified=False), verified=False)
    assert RENDERER.render(wrong).startswith("WRONG: crawler in mode async gave a wrong result.")


def test_everything_that_was_recorded_is_summed_up() -> None:
    text = RENDERER.render(builders.everything())
    for part in (
        "right in every pass (6 checked)",
        "RSS of 2 processes together",
        "Hottest functions",
        "page = download(url)",
        "+12.50",
        "functions, lost: process Process-2 (102): it was killed before it could write",
        "calls of coroutines count every resumption",
    ):
        assert part in text


def test_every_pass_has_its_status_and_reason() -> None:
    given = report(
        one_pass("baseline", 100, 110),
        one_pass("lines", 300, overhead=2.86),
        not_done("memory", "memory_profiler is not installed"),
        not_done("timeline", "no room", PassStatus.FAILED),
    )
    rows = {line.split()[0]: line.split() for line in RENDERER.render(given).splitlines() if line}
    assert rows["baseline"][1:4] == ["105.0", "105.0", "1"]
    assert rows["baseline"][4:] == ["ok,", "2", "runs"]
    assert rows["lines"][3:] == ["2.86", "ok"]
    assert rows["memory"][1:] == [
        "-",
        "-",
        "-",
        "skipped:",
        "memory_profiler",
        "is",
        "not",
        "installed",
    ]
    assert rows["timeline"][4] == "failed:"


def test_nothing_is_invented_where_nothing_was_measured() -> None:
    text = RENDERER.render(report(not_done("baseline", "it cannot start")))
    assert text.count("not measured") == 4
    assert "Hottest" not in text


def test_text_is_plain() -> None:
    assert "\x1b" not in RENDERER.render(builders.everything())


def test_many_notes_are_counted() -> None:
    made = builders.everything()
    assert made.recording.functions is not None
    many = replace(made.recording.functions, notes=tuple(f"note {n}" for n in range(20)))
    text = RENDERER.render(replace(made, recording=replace(made.recording, functions=many)))
    assert "and 13 more: see the HTML report" in text
