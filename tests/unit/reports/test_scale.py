import pytest
from concurtrace.reports._scale import Scale


@pytest.mark.parametrize(
    ("times_ns", "unit", "texts"),
    [
        ([], "ns", []),
        ([7], "ns", ["7"]),
        ([12_000, 40], "µs", ["12.00", "0.04"]),
        ([1_430_000_000, 12_340_000], "ms", ["1 430.0", "12.3"]),
        ([14_300_000_000, 0], "s", ["14.30", "0.00"]),
    ],
)
def test_a_column_of_times_has_one_unit(times_ns: list[int], unit: str, texts: list[str]) -> None:
    scale = Scale.for_times(times_ns)
    assert scale.unit == unit
    assert [scale.text(value) for value in times_ns] == texts


def test_what_is_too_small_for_the_column_is_not_nothing() -> None:
    scale = Scale.for_times([14_300_000_000])
    assert scale.text(1) == "< 0.01"
    assert scale.text(-1) == "> -0.01"
    assert scale.text(0) == "0.00"


def test_sizes_fall_too() -> None:
    scale = Scale.for_sizes([12 << 20, -(2 << 20)])
    assert (scale.unit, scale.text(-(2 << 20))) == ("MiB", "-2.00")
