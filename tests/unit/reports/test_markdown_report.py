import re
from dataclasses import replace

import pytest
from concurtrace.reports.markdown import RENDERER

from tests import builders
from tests.builders_hostile import HOSTILE, hostile


def unescaped(text: str, char: str) -> int:
    return len(re.findall(rf"(?<!\\){re.escape(char)}", text))


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_name_becomes_markup(kind: str) -> None:
    def shape(name: str) -> list[tuple[int, ...]]:
        lines = RENDERER.render(hostile(name)).splitlines()
        return [tuple(unescaped(line, char) for char in "|*`<[@#") for line in lines]

    assert shape(HOSTILE[kind]) == shape("plain")


def test_it_is_short_and_says_the_outcome_first() -> None:
    text = RENDERER.render(builders.everything())
    assert text.startswith("**✔ crawler in mode async gave the right result in 105 ms.**")
    assert len(text.splitlines()) < 40


def test_what_was_not_measured_is_said() -> None:
    failed = builders.not_done("baseline", "it cannot start")
    text = RENDERER.render(builders.report(failed))
    assert "| baseline | not measured | - | skipped: it cannot start |" in text


def test_without_functions_there_is_no_empty_table() -> None:
    made = builders.everything()
    bare = replace(made, hot=replace(made.hot, functions=()))
    assert "hottest functions" not in RENDERER.render(bare)
