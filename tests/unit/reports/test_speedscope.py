"""The speedscope file: sums of states and calls, and stacks from the outside in."""

import json
from typing import Any

from concurtrace.reports.speedscope import RENDERER

from concurtrace.model.report import Report
from tests import builders
from tests.builders_trace import MS


def profiles(report: Report) -> dict[str, list[tuple[list[str], int]]]:
    document: dict[str, Any] = json.loads(RENDERER.render(report))
    names = [frame["name"] for frame in document["shared"]["frames"]]
    found = {}
    for one in document["profiles"]:
        assert one["type"] == "sampled"
        assert one["unit"] == "nanoseconds"
        assert one["endValue"] == sum(one["weights"])
        stacks = [[names[number] for number in stack] for stack in one["samples"]]
        found[one["name"]] = list(zip(stacks, one["weights"], strict=True))
    return found


def test_a_thread_has_its_states_and_where_it_stood() -> None:
    found = profiles(builders.everything())
    states = next(stacks for name, stacks in found.items() if name.startswith("Worker-1 in"))
    assert states[:2] == [
        (["waiting for a lock", "fetch"], 40 * MS),
        (["waiting to be told something", "fetch"], 20 * MS),
    ]
    assert sum(weight for _, weight in states) == 71 * MS


def test_calls_have_their_callers_and_own_time() -> None:
    found = profiles(builders.everything())
    calls = found["MainThread in MainProcess (100): calls"]
    assert calls == [(["fetch", "download"], 60 * MS), (["fetch", "parse"], 30 * MS)]


def test_frames_are_told_from_the_folder_of_the_run() -> None:
    document = json.loads(RENDERER.render(builders.everything()))
    files = {frame["file"] for frame in document["shared"]["frames"] if "file" in frame}
    assert files == {"crawl.py"}


def test_without_any_recording_it_says_what_to_do() -> None:
    ((stack, _),) = profiles(builders.report())["nothing was recorded"]
    assert "--with baseline,states" in stack[0]
