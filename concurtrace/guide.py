"""Write the guide: for each lesson of both courses what to run, and what its report shows.

``python -m concurtrace.guide`` makes the pages in ``docs/guide`` of the checkout it is run in, from
``map.toml`` there and from what the workloads say of themselves.
"""

import contextlib
import functools
import inspect
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from concurtrace import discovery
from concurtrace.commands import cli
from concurtrace.commands._options import parameters_given
from concurtrace.discovery import Kind
from concurtrace.errors import ConcurtraceError, RunFailedError
from concurtrace.launch import bench_worker, plan
from concurtrace.workload import NO_FAULT, Workload

FOLDER = Path("docs/guide")
COURSES = {
    "A": ("course-a.md", "Learning Concurrency in Python"),
    "B": ("course-b.md", "Concurrent Programming in Python"),
    "D": ("about.md", "What the description of the courses adds"),
}
_LOOK = "What to look for in the report: "
"""How the paragraph begins in the docstring of every workload; the contract tests see to it."""
_INTRODUCTION = """\
What both courses teach, as something to run: for each lesson the commands, and what their reports
show. [tables.md](tables.md) tells in words what the courses tell in words;
[workloads.md](workloads.md) says what to look for in the report of each workload."""
_MADE = "This page is made from `map.toml` and the workloads: `python -m concurtrace.guide`."


@dataclass(frozen=True)
class Statement:
    """A statement of a course, the commands that show it, and tables of the guide about it."""

    id: str
    says: str
    commands: tuple[str, ...]
    tables: tuple[str, ...]

    @property
    def lesson(self) -> str:
        """Its lesson, such as A3; D.2 is a lesson by itself."""
        return self.id if self.id.startswith("D") else self.id.partition(".")[0]


@dataclass(frozen=True)
class Parsed:
    """A command as the command line understands it; ``workload`` None where it names none."""

    name: str
    help: str
    workload: str | None
    modes: tuple[str, ...]
    given: Mapping[str, str | int]
    options: Mapping[str, Any]


def read(folder: Path = FOLDER) -> list[Statement]:
    """Read the map."""
    document = tomllib.loads((folder / "map.toml").read_text("utf-8"))
    return [
        Statement(one["id"], one["says"], tuple(one["commands"]), tuple(one.get("tables", ())))
        for one in document["statement"]
    ]


@functools.cache
def parse(command: str) -> Parsed:
    """Parse a command; click.ClickException or ConcurtraceError if it is none."""
    name, *arguments = shlex.split(command)
    found = cli.get_command(click.Context(cli), name)
    if found is None:
        raise click.UsageError(f"there is no command {name}")
    options = found.make_context(name, arguments).params
    workload = options.get("workload") or options.get("target")
    modes = options.get("modes") or options.get("mode") or ()
    names = modes.split(",") if isinstance(modes, str) else modes
    keys = ("size", "variant", "fault", "start_method")
    given: dict[str, Any] = {key: options.get(key) for key in keys}
    given["params"] = options.get("params", ())
    return Parsed(
        name,
        inspect.cleandoc(found.help or "").partition("\n")[0],
        workload,
        tuple(names),
        parameters_given(given),
        options,
    )


def problem(command: str) -> str | None:
    """Say why a command can't be run as it stands; None if it can."""
    try:
        parsed = parse(command)
        if parsed.workload is not None:
            for mode in parsed.modes or (None,):
                # What is not installed here is right all the same.
                with contextlib.suppress(RunFailedError):
                    plan.workload_target(parsed.workload, mode, "default", parsed.given)
        if parsed.name == "bench":
            for key in ("first", "second"):
                bench_worker.prepare(parsed.options[key])
        if parsed.name == "list" and parsed.options["name"]:
            discovery.load(Kind.WORKLOAD, parsed.options["name"])
    except (click.ClickException, ConcurtraceError) as error:
        return f"{command}: {error}"
    except (ImportError, AttributeError, SyntaxError) as error:
        return f"{command}: {error}"
    return None


def shows(command: str) -> str:
    """Say in a few words what the report of a command shows."""
    parsed = parse(command)
    if parsed.name != "profile" or parsed.workload is None:
        return parsed.help
    workload: Workload = _module(parsed.workload).WORKLOAD
    lines = [_first_line(workload.modes[mode].function.__doc__) for mode in parsed.modes]
    variant = {one.name: one for one in workload.variants}.get(str(parsed.given.get("variant")))
    fault = {one.name: one for one in workload.faults}.get(str(parsed.given.get("fault", NO_FAULT)))
    if variant is not None:
        lines.append(f"{_capital(variant.meaning)}.")
    if fault is not None:
        lines.append(f"A fault: {fault.meaning}; {fault.outcome.value}.")
    if not lines:
        lines.append(_first_line(_module(parsed.workload).__doc__))
    if fault is None:
        lines += _expected(workload, parsed)
    return " ".join(lines)


def _expected(workload: Workload, parsed: Parsed) -> list[str]:
    """Name the rules that the diagnosis answers first."""
    rules: dict[str, None] = {}
    first = workload.variants[0].name if workload.variants else ""
    variant = str(parsed.given.get("variant", first))
    for mode in parsed.modes or (workload.default_mode,):
        expected = workload.expects.get(f"{mode}/{variant}") or workload.expects.get(mode, ())
        rules |= dict.fromkeys(expected)
    known = _rules()
    names = [f"[`{one}`](../rules.md#{one})" if one in known else f"`{one}`" for one in rules]
    return [f"The diagnosis names {', '.join(names)}."] if names else []


def pages(folder: Path = FOLDER) -> dict[str, str]:
    """Write every page: ``{file name: text}``."""
    statements = read(folder)
    made = {"README.md": _index(statements), "workloads.md": _workloads()}
    for letter, (name, title) in COURSES.items():
        mine = [one for one in statements if one.id.startswith(letter)]
        made[name] = _course(title, mine)
    return made


def _index(statements: list[Statement]) -> str:
    blocks = [
        "# The guide",
        _INTRODUCTION,
        _MADE,
    ]
    for letter, (name, title) in COURSES.items():
        lessons = _lessons(one for one in statements if one.id.startswith(letter))
        rows = [
            f"| [{lesson}]({name}#{_anchor(lesson)}) | {parts[0].says} |"
            for lesson, parts in lessons.items()
        ]
        blocks += [f"## {title}", "| lesson | it says |\n|---|---|\n" + "\n".join(rows)]
    return _joined(blocks)


def _course(title: str, statements: list[Statement]) -> str:
    blocks = [f"# {title}", _MADE]
    for lesson, parts in _lessons(statements).items():
        blocks.append(f"## {lesson}")
        rows = [f"| {one.says} | {_cell(one)} |" for one in parts]
        blocks.append("| statement | what runs it |\n|---|---|\n" + "\n".join(rows))
        commands = dict.fromkeys(command for one in parts for command in one.commands)
        if commands:
            blocks += ["What the reports show:", "\n".join(_shown(list(commands)))]
    return _joined(blocks)


def _shown(commands: list[str]) -> list[str]:
    """List what commands show, those of one workload together, below what to look for in it."""
    lines = [f"- `{one}`: {shows(one)}" for one in commands if parse(one).workload is None]
    for name in dict.fromkeys(parse(one).workload for one in commands):
        if name is not None:
            lines.append(f"- [{name}](workloads.md#{name}): {_look(name)}")
            mine = [one for one in commands if parse(one).workload == name]
            lines += [f"  - `{one}`: {shows(one)}" for one in mine]
    return lines


def _cell(statement: Statement) -> str:
    parts = [f"`concurtrace {one}`" for one in statement.commands]
    parts += [f"[{one}](tables.md#{one})" for one in statement.tables]
    return "<br>".join(parts)


def _look(name: str) -> str:
    """Return what to look for in the report of a workload."""
    paragraphs = inspect.cleandoc(_module(name).__doc__ or "").split("\n\n")
    look = next((one for one in paragraphs if one.startswith(_LOOK)), "")
    return _capital(_one_line(look).removeprefix(_LOOK))


def _workloads() -> str:
    blocks = ["# The workloads", _MADE]
    for name in discovery.modules(Kind.WORKLOAD):
        module = _module(name)
        workload: Workload = module.WORKLOAD
        lessons = ", ".join(workload.lessons)
        blocks += [f"## {name}", _first_line(module.__doc__), f"Lessons: {lessons}."]
        modes = [
            f"| `{mode}` | {_first_line(one.function.__doc__)} |"
            for mode, one in workload.modes.items()
        ]
        blocks.append("| mode | |\n|---|---|\n" + "\n".join(modes))
        blocks.append(f"{_LOOK}{_look(name)}")
        lines = [f"- variant `{one.name}`: {one.meaning}" for one in workload.variants]
        lines += [
            f"- fault `{one.name}`: {one.meaning}; {one.outcome.value}" for one in workload.faults
        ]
        blocks += ["\n".join(lines)] if lines else []
    return _joined(blocks)


@functools.cache
def _module(name: str) -> ModuleType:
    return discovery.load(Kind.WORKLOAD, name)


@functools.cache
def _rules() -> frozenset[str]:
    return frozenset(discovery.modules(Kind.RULE))


def _lessons(statements: Iterable[Statement]) -> dict[str, list[Statement]]:
    return {lesson: list(parts) for lesson, parts in groupby(statements, lambda one: one.lesson)}


def _anchor(heading: str) -> str:
    return heading.lower().replace(".", "")


def _joined(blocks: list[str]) -> str:
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _first_line(text: str | None) -> str:
    return inspect.cleandoc(text or "").partition("\n")[0]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def write(folder: Path = FOLDER) -> None:
    """Write all pages into the folder."""
    for name, text in pages(folder).items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
