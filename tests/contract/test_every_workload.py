"""What holds for every workload in each of its modes, whoever wrote it."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil
import pytest

from concurtrace import api, discovery
from concurtrace.discovery import Kind
from concurtrace.launch import plan
from concurtrace.launch.plan import RunPlan
from concurtrace.workload import (
    START_METHOD,
    Fault,
    Mode,
    Parameter,
    Value,
    Variant,
    Work,
    Workload,
)
from tests.contract import census

HANG_S = 120
MODULES = discovery.modules(Kind.WORKLOAD)
MODE_NAMES = {
    "sequential",
    "threads",
    "executor",
    "processes",
    "executor-processes",
    "pool",
    "pool-threads",
    "async",
    "gevent",
    "twisted",
    "csp",
    "csp-greenlets",
    "csp-aio",
    "reactive",
}
ONCE = {"twisted"}
"""Modes that a process can run once: nobody can start Twisted's reactor a second time."""
HOLD_ON = {"gui"}
"""Workloads that hold on to their service: Tk keeps the connection to a display until the end."""
WORKLOADS = {name: plan.load_workload(name) for name in MODULES}
PAIRS = [(name, mode) for name, workload in WORKLOADS.items() for mode in workload.modes]
PARAMETERS = [
    pytest.param(one, id=f"{name}-{one.name}")
    for name, workload in WORKLOADS.items()
    for one in workload.parameters
]


@pytest.fixture(params=list(WORKLOADS))
def workload(request: pytest.FixtureRequest) -> Workload:
    return WORKLOADS[request.param]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[str, Mode]:
    """A workload's name and one of its modes, unless an optional package for it is absent."""
    name, mode_name = request.param
    mode = WORKLOADS[name].modes[mode_name]
    for package in mode.imports:
        if mode.extra and importlib.util.find_spec(package.partition(".")[0]) is None:
            pytest.skip(f"{package} is not installed")
    if lacking := WORKLOADS[name].missing():
        pytest.skip(lacking)
    return name, mode


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be the temporary directory of the target, and be empty in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def values(name: str, mode: Mode, **changes: int) -> dict[str, Value]:
    return dict(plan.workload_target(name, mode.name, "tiny", changes).parameters)


def reference(name: str, parameters: Mapping[str, Value]) -> str:
    return WORKLOADS[name].expected(Work(parameters)).checksum


def test_there_are_workloads() -> None:
    assert {"crawler", "factorize"} <= set(WORKLOADS)


def test_its_docstring_teaches(workload: Workload) -> None:
    """The first line is its entry in the list; below stands what it shows and how to see it."""
    name = next(name for name, one in WORKLOADS.items() if one is workload)
    text = discovery.load(Kind.WORKLOAD, name).__doc__ or ""
    first, *paragraphs = text.strip().split("\n\n")
    assert re.fullmatch(r"[A-Z][^\n]{10,95}[.]", first)
    assert len(paragraphs) >= 2
    assert any(one.startswith("What to look for in the report: ") for one in paragraphs)


def test_its_modes_are_described_and_named_as_everywhere(workload: Workload) -> None:
    assert workload.modes.keys() <= MODE_NAMES
    assert workload.default_mode in workload.modes
    for mode in workload.modes.values():
        assert (mode.function.__doc__ or "").strip(), mode.name


def test_its_lessons_are_named(workload: Workload) -> None:
    assert workload.lessons
    assert all(re.fullmatch(r"[AB]\d+|D\.\d+", lesson) for lesson in workload.lessons)


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_a_parameter_has_a_meaning_and_a_range(parameter: Parameter) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", parameter.name)
    assert len(parameter.meaning) > 3
    assert parameter.presets.keys() <= {"tiny", "large"}
    if parameter.choices:
        assert parameter.default in parameter.choices
        assert set(parameter.presets.values()) <= set(parameter.choices)
    else:
        assert parameter.minimum is not None
        assert parameter.maximum is not None
        for value in (parameter.default, *parameter.presets.values()):
            assert parameter.minimum <= float(value) <= parameter.maximum
            assert type(value) is type(parameter.default)


def test_its_presets_differ_in_the_amount_of_work(workload: Workload) -> None:
    size = next(one for one in workload.parameters if one.name == "size")
    assert size.presets["tiny"] < size.default < size.presets["large"]  # type: ignore[operator]


def test_its_variants_and_faults_are_described(workload: Workload) -> None:
    described: tuple[Variant | Fault, ...] = (*workload.variants, *workload.faults)
    for one in described:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", one.name)
        assert len(one.meaning) > 3
        assert set(one.modes) <= workload.modes.keys()
    for mode in workload.modes:
        assert not workload.variants or variants_of(workload, mode)


def variants_of(workload: Workload, mode: str) -> list[str]:
    return [one.name for one in workload.variants if not one.modes or mode in one.modes]


@pytest.mark.parametrize("module", MODULES.values())
def test_to_import_it_loads_nothing_else(module: str) -> None:
    """It is imported to be listed, and in every spawned child: libraries are for its modes."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        "tops = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(tops - set(sys.stdlib_module_names) - {'concurtrace', '__mp_main__'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_its_result_is_right_and_nothing_is_left(
    pair: tuple[str, Mode], tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the launcher itself, as ``concurtrace profile`` does it."""
    name, mode = pair
    monkeypatch.chdir(tmp_path)
    target = plan.workload_target(name, mode.name, "tiny", {})
    passes = plan.plan_passes(plan.find_instruments(("baseline",)), 1)
    before = children()
    report = api.load(api.record(RunPlan(target, passes, None, {}, HANG_S)))
    (baseline,) = report.passes
    (execution,) = baseline.executions
    assert execution.error is None
    assert baseline.verified is True
    assert execution.leftovers == ()
    assert children() == before


def children() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True)]


def test_it_gives_the_same_by_any_means_and_cleans_up(
    pair: tuple[str, Mode], temporary: Path
) -> None:
    """Whatever starts its processes, however many share the work, and however often it is run."""
    name, mode = pair
    workload = WORKLOADS[name]
    parameters = values(name, mode)
    rounds: list[dict[str, Value]] = [{}]
    rounds += [{"workers": count} for count in (1, 5) if "workers" in parameters]
    alike = len(rounds)
    if START_METHOD in workload.parameters:
        rounds += [{"start-method": method} for method in START_METHOD.choices]
    rounds += [{"variant": variant} for variant in variants_of(workload, mode.name)]
    by_process = [rounds]
    if mode.name in ONCE:
        by_process = [[one] for one in rounds]
    elif name in HOLD_ON:
        by_process = [list(some) for _, some in groupby(rounds, lambda one: one.get("variant"))]
    answers = [answer for some in by_process for answer in run_census(name, mode, parameters, some)]
    for changes, answer in zip(rounds, answers, strict=True):
        assert answer["checksum"] == reference(name, {**parameters, **changes}), changes
        assert answer["left"] == {"threads": [], "processes": [], "temporary": [], "sockets": []}, (
            changes
        )
    # The first round may open what the libraries keep for ever; no other of its kind may.
    assert {answer["files"] for answer in answers[:alike]} == {answers[0]["files"]}


def run_census(
    name: str, mode: Mode, parameters: dict[str, Value], rounds: list[dict[str, Value]]
) -> list[dict[str, Any]]:
    done = subprocess.run(
        [
            sys.executable,
            census.__file__,
            MODULES[name],
            mode.name,
            mode.before or "",
            json.dumps(parameters),
            json.dumps(rounds),
        ],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=HANG_S,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


def test_another_seed_gives_another_result(workload: Workload) -> None:
    """Else every comparison here would compare nothing."""
    name = next(name for name, one in WORKLOADS.items() if one is workload)
    mode = workload.modes[workload.default_mode]
    assert reference(name, values(name, mode)) != reference(name, values(name, mode, seed=7))
