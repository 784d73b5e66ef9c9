"""How many downloads are under way at once: what the checksum can't tell."""

import json
import urllib.request

import pytest
from concurtrace.workloads.downloads import WORKLOAD

from concurtrace.launch import plan
from concurtrace.workload import Result, Work
from tests.alone import ALONE, run_alone

WORKERS = 3
LATENCY_MS = 50
"""Long enough to meet, were there more than allowed; that they are not does not depend on it."""


def peak(mode: str, **changes: str) -> int:
    """Run a mode, and ask the server how many it answered at once."""
    given: dict[str, str | int] = {"workers": WORKERS, "latency-ms": LATENCY_MS, **changes}
    work = Work(plan.workload_target("downloads", mode, "tiny", given).parameters)
    with WORKLOAD.serve(work) as services:
        served = Work(work.parameters, services)
        result: Result
        if mode in ALONE:
            result = run_alone("downloads", mode, served)
        else:
            result = WORKLOAD.modes[mode].function(served)
        with urllib.request.urlopen(f"{services['site']}/-/peak") as answer:  # noqa: S310
            count: int = json.load(answer)
    assert result.checksum == WORKLOAD.expected(work).checksum
    return count


@pytest.mark.parametrize("mode", WORKLOAD.modes)
def test_no_more_are_under_way_than_there_are_workers(mode: str) -> None:
    assert 1 <= peak(mode) <= (1 if mode == "sequential" else WORKERS)


def test_coroutines_that_block_download_one_at_a_time() -> None:
    assert peak("async", fault="blocking-in-async") == 1
