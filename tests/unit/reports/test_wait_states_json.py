"""States, GIL, locks and cores in JSON: valid by the schema, and summing up."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from concurtrace.reports.json_ import RENDERER, SCHEMA

from concurtrace.analysis.states import states_report
from concurtrace.model.run import Execution, Pass, PassStatus
from tests import builders
from tests.builders_trace import MS, trace

LIGHT = Pass("light", ("states",), PassStatus.OK, executions=(Execution(1, 1, 0, 0),))


@pytest.fixture
def document() -> dict[str, Any]:
    made = (
        trace()
        .lock("L", "app.py:3 in setup")
        .thread("holder").running(40, core=0).waits_gil(10, by="waiter").sleeps(50)
        .thread("waiter").waits_lock(40, "L", by="holder", at="app.py:9 in f").running(10, core=1)
        .build()
    )  # fmt: skip
    rendered = RENDERER.render(replace(builders.report(LIGHT), states=states_report(made, LIGHT)))
    found: dict[str, Any] = json.loads(rendered)
    jsonschema.validate(found, json.loads(SCHEMA.read_text("utf-8")))
    return found


def test_states_of_every_thread_sum_to_its_lifetime(document: dict[str, Any]) -> None:
    (process,) = document["processes"]
    for thread in process["threads"]:
        assert sum(thread["states"].values()) == thread["end_ns"] - thread["start_ns"]
    holder = process["threads"][0]
    assert holder["states"]["GIL_WAIT"] == 10 * MS
    assert holder["gil"]["waited_for"][0]["tid"] == process["threads"][1]["tid"]


def test_gil_and_locks_and_cores_are_told(document: dict[str, Any]) -> None:
    gil = {"contention": pytest.approx(1 / 6), "held": pytest.approx(0.5), "blame": []}
    assert document["gil"] == gil
    (lock,) = document["locks"]
    assert (lock["created_at"], lock["wait_ns"]) == ("app.py:3", 40 * MS)
    assert lock["waited_at"] == [{"where": "app.py:9 in f", "ns": 40 * MS}]
    cores = document["cores"]
    assert [(one["core"], one["target"]) for one in cores] == [(0, 0.4), (1, 0.1)]
    assert cores[1]["ran"][0]["name"] == "waiter"


def test_an_estimate_is_marked(document: dict[str, Any]) -> None:
    assert document["states"]["estimated"] is False


def test_processes_tell_how_they_came_up_and_what_lines_are_to_blame() -> None:
    found = json.loads(RENDERER.render(builders.everything()))
    jsonschema.validate(found, json.loads(SCHEMA.read_text("utf-8")))
    main, child = found["processes"]
    times = [child[name] for name in ("start_ns", "first_ns", "python_ns", "work_ns", "end_ns")]
    assert times == [5 * MS, 20 * MS, 25 * MS, 30 * MS, 70 * MS]
    assert main["work_ns"] is None
    assert found["gil"]["blame"] == [{"where": f"{builders.FILE}:4 in fetch", "ns": 10 * MS}]
