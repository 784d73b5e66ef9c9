"""Which variant a fault or a mode takes on, and what does not go together."""

import pytest

from concurtrace.errors import UsageError
from concurtrace.launch import plan


def test_a_fault_brings_its_variant() -> None:
    given = {"fault": "lock-reentry"}
    assert plan.workload_target("sync", "threads", "tiny", given).parameters["variant"] == "rlock"


def test_a_fault_of_another_variant_is_refused() -> None:
    given = {"fault": "lock-reentry", "variant": "event"}
    with pytest.raises(UsageError, match="lock-reentry is for variant rlock, not event"):
        plan.workload_target("sync", "threads", "tiny", given)


def test_a_fault_of_other_modes_is_refused() -> None:
    with pytest.raises(UsageError, match="is for mode threads, processes, not gevent"):
        plan.workload_target("sync", "gevent", "tiny", {"fault": "lock-reentry"})


def test_a_variant_of_other_modes_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"Mode processes has no variant lifo\. It has: fifo, full"
    ):
        plan.workload_target("queues", "processes", "tiny", {"variant": "lifo"})


def test_without_a_fault_the_first_variant_is_taken() -> None:
    assert plan.workload_target("sync", "gevent", "tiny", {}).parameters["variant"] == "lock"
