"""The guide maps every statement of both courses to something that exists."""

import re
from itertools import groupby

import pytest

from concurtrace import discovery, guide
from concurtrace.discovery import Kind
from concurtrace.guide import FOLDER, Statement
from concurtrace.launch.plan import load_workload

STATEMENTS = guide.read()
TABLES = (FOLDER / "tables.md").read_text("utf-8")
LESSONS = [
    *[f"A{number}" for number in range(41)],
    *[f"B{number}" for number in range(25)],
    *[f"D.{number}" for number in range(1, 12)],
]


def test_no_statement_of_the_courses_is_unmapped() -> None:
    """249 non-empty lines; within a lesson they are counted without a gap, from 0."""
    assert len(STATEMENTS) == 249
    assert [lesson for lesson, _ in groupby(STATEMENTS, lambda one: one.lesson)] == LESSONS
    for lesson, parts in groupby(STATEMENTS, lambda one: one.lesson):
        if not lesson.startswith("D"):
            ids = [one.id for one in parts]
            assert ids == [f"{lesson}.{number}" for number in range(len(ids))]
    assert [one.id for one in STATEMENTS if not one.says or not (one.commands or one.tables)] == []


def test_every_command_of_the_map_can_be_run_as_it_stands() -> None:
    """Workload, mode, variant, fault, start method and parameters exist and go together."""
    commands = {command for one in STATEMENTS for command in one.commands}
    assert [wrong for one in sorted(commands) if (wrong := guide.problem(one))] == []


@pytest.mark.parametrize(
    "command",
    [
        "profil race",
        "profile rase",
        "profile race --mode gui",
        "profile race --variant locked",
        "profile race --mode sequential --fault unsynchronised",
        "profile race --param colour=red",
        "profile race --colour",
        "compare race --modes threads,gui",
        "stress race --fault none-such",
        "bench concurtrace.workloads.hotspot:slower concurtrace.workloads.hotspot:fast",
        "list workloads rase",
    ],
)
def test_a_command_that_cannot_be_run_is_noticed(command: str) -> None:
    assert guide.problem(command)


def test_every_table_exists_and_names_commands_that_exist() -> None:
    headings = {heading.lower() for heading in re.findall(r"^## (.+)$", TABLES, re.MULTILINE)}
    assert {table for one in STATEMENTS for table in one.tables} <= headings
    commands = [" ".join(one.split()) for one in re.findall(r"`concurtrace ([^`]+)`", TABLES)]
    commands = [one for one in commands if "MODULE:FUNC" not in one]
    assert len(commands) > 40
    assert [wrong for one in commands if (wrong := guide.problem(one))] == []


def test_every_workload_is_named_by_the_lessons_that_it_claims() -> None:
    named: dict[str, set[str]] = {}
    for one in STATEMENTS:
        for command in one.commands:
            workload = guide.parse(command).workload
            if workload is not None:
                named.setdefault(workload, set()).add(one.lesson)
    for name in discovery.modules(Kind.WORKLOAD):
        assert set(load_workload(name).lessons) <= named.get(name, set()), name


def test_the_pages_are_what_would_be_made_now() -> None:
    """Else: ``python -m concurtrace.guide``."""
    made = guide.pages()
    there = {name: (FOLDER / name).read_text("utf-8") for name in made}
    assert [name for name in made if there[name] != made[name]] == []
    assert {path.name for path in FOLDER.glob("*.md")} == {*made, "tables.md"}


def test_a_command_shows_what_the_workload_says_of_it() -> None:
    text = guide.shows("profile race --mode threads --fault unsynchronised")
    assert text == (
        "Threads and a number that they all see. A fault: nothing keeps the others out between"
        " reading and writing; the result is wrong."
    )
    lesson = Statement("A3.1", "x", (), ())
    assert lesson.lesson == "A3"
