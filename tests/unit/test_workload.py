"""The authoring API: what a workload declares, and what it is given."""

import dataclasses
import hashlib
import random
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concurtrace.workload import (
    NO_FAULT,
    SEED,
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

VALUES = st.none() | st.integers() | st.text() | st.floats(allow_nan=False)
RECORDS = st.lists(st.lists(VALUES, max_size=3).map(tuple), max_size=6)


def declared(**options: object) -> Workload:
    workload = Workload(parameters=(Parameter("size", 3, "items", 1, 9),), **options)  # type: ignore[arg-type]

    @workload.mode()
    def sequential(work: Work) -> Result:
        """One after the other."""
        return Result([(index,) for index in range(work.size)])

    @workload.mode(imports=("asyncio",), extra="more")
    def async_(work: Work) -> Result:
        """All at once."""
        return Result([(index,) for index in reversed(range(work.size))])

    @workload.mode(imports=("json", "csv"))
    def executor_processes(_work: Work) -> Result:
        """Wrongly."""
        return Result([])

    return workload


def test_the_checksum_is_of_the_sorted_records_as_canonical_json() -> None:
    text = '["b",1.5]\n["caf\\u00e9",null]'
    result = Result([("café", None), ("b", 1.5)], {"threads": 4})
    assert result.checksum == hashlib.sha256(text.encode()).hexdigest()


@given(RECORDS, st.randoms(use_true_random=False))
def test_the_checksum_does_not_depend_on_the_order(
    records: list[Record], chance: random.Random
) -> None:
    shuffled = list(records)
    chance.shuffle(shuffled)
    assert Result(shuffled).checksum == Result(records).checksum


@given(RECORDS, RECORDS)
def test_other_records_have_another_checksum(one: list[Record], other: list[Record]) -> None:
    same = sorted(map(repr, one)) == sorted(map(repr, other))
    assert (Result(one).checksum == Result(other).checksum) is same


def test_the_checksum_tells_kinds_and_numbers_of_records_apart() -> None:
    different: list[list[Record]] = [
        [],
        [(1,)],
        [("1",)],
        [(1.0,)],
        [(None,)],
        [(1,), (1,)],
        [(1, 1)],
        [("",)],
        [("1\n2",)],
        [("1",), ("2",)],
    ]
    assert len({Result(records).checksum for records in different}) == len(different)


def test_what_may_differ_is_not_in_the_checksum() -> None:
    assert Result([(1,)], {"seconds": 1}).checksum == Result([(1,)], {"seconds": 2}).checksum


def test_a_mode_is_named_after_its_function() -> None:
    workload = declared()
    assert list(workload.modes) == ["sequential", "async", "executor-processes"]
    assert workload.modes["async"].imports == ("asyncio",)


def test_a_marked_function_stays_what_it_was() -> None:
    """It is pickled by its name into other processes."""
    workload = declared()
    work = Work({"size": 2})
    assert workload.modes["async"].function(work).records == [(1,), (0,)]


def test_what_to_install_for_a_mode() -> None:
    modes = declared().modes
    assert modes["async"].install_hint == '"concurtrace[more]"'
    # What no extra provides is a package that concurtrace itself depends on.
    assert modes["executor-processes"].install_hint == "--upgrade concurtrace"


def test_the_first_mode_is_the_default_unless_another_is_declared() -> None:
    assert declared().default_mode == "sequential"
    assert declared(default_mode="async").default_mode == "async"


def test_the_first_mode_tells_what_is_expected_unless_there_is_a_reference() -> None:
    workload = declared()
    work = Work({"size": 2})
    assert workload.expected(work).records == [(0,), (1,)]
    workload.reference(lambda work: Result([("right", work.size)]))
    assert workload.expected(work).records == [("right", 2)]


def test_every_workload_has_a_seed() -> None:
    assert SEED in declared().parameters
    assert declared().parameters[0].name == "size"


def test_variants_and_faults_are_parameters() -> None:
    workload = declared(
        variants=(Variant("lock", "with a lock"), Variant("queue", "with a queue", ("threads",))),
        faults=(Fault("no-lock", "nobody locks", FaultOutcome.WRONG_RESULT),),
    )
    named = {one.name: one for one in workload.parameters}
    assert named["variant"].default == "lock"
    assert named["variant"].choices == ("lock", "queue")
    assert named["fault"].default == NO_FAULT
    assert named["fault"].choices == (NO_FAULT, "no-lock")
    assert not {"variant", "fault"} & {one.name for one in declared().parameters}


def test_work_gives_its_parameters_as_what_they_are() -> None:
    work = Work(
        {
            "size": 5,
            "workers": 2,
            "seed": 1,
            "variant": "lock",
            "fault": "none",
            "latency-ms": 10,
        }
    )
    assert (work.size, work.workers, work.seed) == (5, 2, 1)
    assert (work.variant, work.fault) == ("lock", "none")
    assert work.number("latency-ms") == 10
    assert work.text("latency-ms") == "10"
    with pytest.raises(KeyError):
        work.text("absent")
    with pytest.raises(dataclasses.FrozenInstanceError):
        work.services = {}  # type: ignore[misc]


def test_without_a_service_there_are_no_addresses() -> None:
    with declared().serve(Work({})) as services:
        assert services == {}


@pytest.mark.parametrize("error", [None, LookupError("inside")])
def test_a_service_runs_around_the_block_and_is_stopped_whatever_happens_in_it(
    error: Exception | None,
) -> None:
    workload = declared()
    happened: list[str] = []

    @workload.service
    def site(work: Work) -> Iterator[Mapping[str, str]]:
        happened.append("started")
        try:
            yield {"site": f"port {work.size}"}
        finally:
            happened.append("stopped")

    raised: list[Exception] = []
    try:
        with workload.serve(Work({"size": 8})) as services:
            happened.append(services["site"])
            if error is not None:
                raise error
    except LookupError as caught:
        raised.append(caught)
    assert happened == ["started", "port 8", "stopped"]
    assert raised == ([] if error is None else [error])
