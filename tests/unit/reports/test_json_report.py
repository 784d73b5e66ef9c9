import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from concurtrace.reports.json_ import RENDERER, SCHEMA

from concurtrace.model.report import Finding, Prediction, Report, Severity
from tests import builders
from tests.builders import MIB, cores, execution, memory, memory_series, one_pass, process, report
from tests.builders_hostile import HOSTILE, hostile

DESCRIPTION = json.loads(SCHEMA.read_text("utf-8"))
FINDING = Finding(
    "gil-saturation",
    Severity.WARNING,
    "The GIL was always held.",
    where=("crawl.py:3 in fetch",),
    window_ns=(0, 5),
    evidence={"held": 0.99},
    prediction=Prediction("processes", 1.9, 1.7, 2.1, ("no shared state",), 0.03),
)


def render(given: Report) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(RENDERER.render(given))
    return document


REPORTS = [
    pytest.param(replace(builders.everything(), findings=(FINDING,)), id="everything"),
    pytest.param(report(), id="nothing but a baseline"),
    pytest.param(report(builders.not_done("baseline", "no")), id="no execution"),
    *(pytest.param(hostile(name), id=kind) for kind, name in HOSTILE.items()),
]


@pytest.mark.parametrize("given", REPORTS)
def test_it_follows_the_schema(given: Report) -> None:
    jsonschema.Draft202012Validator(DESCRIPTION).validate(render(given))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(DESCRIPTION)


def undescribed(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Give every field of a document that the schema says nothing about."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null" and value is not None:
            yield from undescribed(value, choice, path)
    if "$ref" in schema:
        yield from undescribed(value, DESCRIPTION["$defs"][schema["$ref"].split("/")[-1]], path)
    if isinstance(value, dict) and "properties" in schema:
        for key, part in value.items():
            if key not in schema["properties"]:
                yield f"{path}.{key}"
            else:
                yield from undescribed(part, schema["properties"][key], f"{path}.{key}")
    for part in value if isinstance(value, list) else ():
        yield from undescribed(part, schema.get("items", {}), f"{path}[]")


def test_every_field_is_described() -> None:
    given = replace(builders.everything(), findings=(FINDING,))
    assert list(undescribed(render(given), DESCRIPTION)) == []


def test_the_fields_of_the_contract() -> None:
    made = render(builders.everything())
    assert made["format"] == {"name": "concurtrace", "version": 1}
    assert made["target"]["kind"] == "workload"
    assert (made["target"]["size"], made["target"]["workers"]) == (120, 8)
    assert made["environment"]["numa_nodes"] == [[0, 1]]
    assert made["result"]["verified"] is True
    assert made["passes"][2]["instruments"] == ["functions"]
    assert made["passes"][2]["overhead"] == 1.81
    assert made["wall_ns"] == 105_000_000
    assert made["hot"]["functions"][0]["name"] == "fetch"
    assert made["hot"]["functions"][0]["calls"] == 150
    assert made["hot"]["lines"][0]["line"] == 4
    assert made["hot"]["memory_lines"][0]["increment_bytes"] == round(12.5 * MIB)


def test_what_was_not_recorded_is_null_and_never_zero() -> None:
    made = render(report())
    for name in ("peak_rss_bytes", "processes", "cores", "gil", "locks", "critical_path"):
        assert made[name] is None
    assert made["hot"] == {"functions": None, "lines": None, "memory_lines": None}
    assert made["passes"][0]["overhead"] is None
    failed = render(report(builders.not_done("baseline", "it cannot start")))
    assert failed["wall_ns"] is None
    assert failed["passes"][0]["wall_ns"] is None
    assert failed["passes"][0]["reason"] == "it cannot start"


def test_the_peak_is_that_of_all_processes_at_one_moment() -> None:
    main, child = process(), process("Process-1", 101)
    recording = memory(memory_series([10, 30, 10], main), memory_series([5, 7], child, start=10))
    made = render(report(recording=recording))
    assert made["peak_rss_bytes"] == 35 * MIB
    assert [one["peak_rss_bytes"] for one in made["processes"]] == [30 * MIB, 7 * MIB]


def test_processes_are_those_of_one_pass_with_the_threads_it_knows() -> None:
    main, child = process(), process("Process-1", 101, end=None)
    table = builders.function_table({"f": (1, 1, 1)}, child, "Worker-1", 4711)
    recording = builders.merged(
        memory(memory_series([1], main), memory_series([1], child)), builders.functions(table)
    )
    passes = (one_pass("baseline", 100), one_pass("memory", 100), one_pass("functions", 100))
    found = render(report(*passes, recording=recording))["processes"]
    assert [(one["name"], one["pass"], one["ended_by"]) for one in found] == [
        ("MainProcess", "memory", "exit"),
        ("Process-1", "memory", "unknown"),
    ]
    assert found[0]["threads"] is None
    assert found[1]["threads"] == [{"tid": 4711, "name": "Worker-1"}]
    assert found[1]["end_ns"] is None


def test_times_count_from_the_start_of_the_execution() -> None:
    started = execution(start_ns=builders.ZERO_NS - 5)
    passes = (one_pass("memory", executions=(started,)),)
    made = render(report(*passes, recording=memory(memory_series([1], process(end=1)))))
    assert made["processes"][0]["start_ns"] == 5
    assert made["processes"][0]["end_ns"] == 5 + builders.MS


def test_use_of_cores_is_weighed_by_time() -> None:
    recording = cores([1.0, 0.5], [0.0, 0.5])
    made = render(report(recording=recording))
    assert made["cores"] == [
        {"core": 0, "busy": 0.75, "target": None},
        {"core": 1, "busy": 0.25, "target": None},
    ]


def test_numbers_that_json_does_not_have_are_null() -> None:
    strange = execution(observed={"ratio": float("nan"), "most": float("inf"), "fine": 1.5})
    made = render(report(one_pass("baseline", executions=(strange,))))
    observed = made["passes"][0]["executions"][0]["observed"]
    assert observed == {"ratio": None, "most": None, "fine": 1.5}


def test_a_finding_keeps_its_parts() -> None:
    made = render(replace(report(), findings=(FINDING,)))["findings"][0]
    assert made["severity"] == "warning"
    assert made["window_ns"] == [0, 5]
    assert made["prediction"]["speedup"] == 1.9
