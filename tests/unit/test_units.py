import pytest

from concurtrace import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1.00"),
        (12.345, "12.3"),
        (999.4, "999"),
        (999.6, "1000"),
        (0.00123456, "0.00123"),
        (-2.5, "-2.50"),
        (9.999, "10.0"),
        (float("inf"), "inf"),
    ],
)
def test_three_significant_digits_without_exponent(value: float, text: str) -> None:
    assert units.significant(value) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (870_000, "870 µs"),
        (999_499, "999 µs"),
        (999_500, "1.00 ms"),
        (1_430_000_000, "1.43 s"),
        (-5_000_000, "-5.00 ms"),
        (3_600_000_000_000, "3600 s"),
    ],
)
def test_times_choose_their_unit(ns: int, text: str) -> None:
    assert units.time_text(ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (19_088_743, "18.2 MiB"),
        (1 << 31, "2.00 GiB"),
    ],
)
def test_sizes_choose_their_unit(size: int, text: str) -> None:
    assert units.size_text(size) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.034, "3.4 %"),
        (0.97, "97 %"),
        (0.0996, "10 %"),
        (0.0004, "< 0.1 %"),
        (1.0, "100 %"),
    ],
)
def test_shares_are_percentages(share: float, text: str) -> None:
    assert units.share_text(share) == text


def test_counts_are_grouped_by_threes() -> None:
    assert [units.count_text(count) for count in (0, 999, 1204511)] == ["0", "999", "1 204 511"]
