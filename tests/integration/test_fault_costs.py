"""Faults that leave the result right: what they cost is counted, with the fault and without."""

from pathlib import Path

import psutil
import pytest

from concurtrace import api
from concurtrace.launch import plan
from concurtrace.launch.plan import RunPlan
from concurtrace.model.run import Execution


def execute(workload: str, mode: str, **given: str | int) -> Execution:
    """Run a workload once by the launcher; its result has to be right."""
    target = plan.workload_target(workload, mode, "tiny", given)
    passes = plan.plan_passes(plan.find_instruments(("baseline",)), 1)
    (baseline,) = api.load(api.record(RunPlan(target, passes, None, {}, 60.0))).passes
    assert baseline.verified is True
    return baseline.executions[0]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("workload", "mode", "fault", "counted", "cost"),
    [
        ("forking", "processes", "zombie", "zombies", {"size": 3}),
        ("executors", "executor", "no-shutdown", "idle-workers", {"workers": 3}),
        ("executors", "executor-processes", "no-shutdown", "idle-workers", {"workers": 3}),
        ("pools", "pool", "no-close", "workers-left", {"workers": 3}),
        ("pools", "pool-threads", "no-close", "workers-left", {"workers": 3}),
    ],
)
def test_what_nobody_sees_off_stays(
    workload: str, mode: str, fault: str, counted: str, cost: dict[str, int]
) -> None:
    variant = {"variant": "manual"} if workload == "executors" else {}
    assert execute(workload, mode, **cost, **variant).observed[counted] == 0
    assert execute(workload, mode, **cost, fault=fault).observed[counted] == 3


def test_shared_memory_that_nobody_unlinks_stays_until_the_end() -> None:
    assert execute("shared-state", "processes").observed["segments-left"] == 0
    left = execute("shared-state", "processes", fault="leak").observed
    assert left["segments-left"] == 1
    assert not Path("/dev/shm", str(left["segment"])).exists()  # noqa: S108


def test_a_queue_without_a_limit_grows() -> None:
    """In one event loop, nobody takes anything out before all has been put in."""
    assert execute("queues", "async", variant="full").observed["longest"] == 10
    assert execute("queues", "async", fault="unbounded").observed["longest"] == 30


def test_an_orphan_outlives_the_program_until_the_launcher_ends_it() -> None:
    assert execute("child-processes", "processes").leftovers == ()
    (orphan,) = execute("child-processes", "processes", fault="orphan").leftovers
    assert not psutil.pid_exists(orphan)


@pytest.mark.parametrize("mode", ["async", "gevent"])
def test_a_loop_that_computes_has_no_time_for_a_heartbeat(mode: str) -> None:
    """One beat before, one after, and one that is late already when the loop goes on."""
    healthy = execute("factorize", mode, size=600).observed
    assert int(healthy["heartbeats"]) > 3
    blocked = execute("factorize", mode, size=600, fault="cpu-in-loop").observed
    assert int(blocked["heartbeats"]) <= 3


def test_plain_sockets_let_no_other_greenlet_go_on() -> None:
    patched = execute("greenlets", "gevent", **{"latency-ms": 50}).observed
    assert int(patched["most-under-way"]) > 1
    plain = execute("greenlets", "gevent", **{"latency-ms": 50}, fault="no-monkey-patch").observed
    assert plain["most-under-way"] == 1


def test_a_greenlet_that_computes_lets_no_other_go_on() -> None:
    polite = execute("greenlets", "gevent", size=60).observed
    assert int(polite["answered-while-computing"]) > 0
    selfish = execute("greenlets", "gevent", size=60, fault="cpu-greenlet").observed
    assert selfish["answered-while-computing"] == 0


def test_an_uneven_split_leaves_most_files_to_one() -> None:
    assert execute("thumbnails", "processes").observed["most-files"] == 3
    uneven = execute("thumbnails", "processes", fault="uneven-split").observed
    assert uneven["most-files"] == 4
