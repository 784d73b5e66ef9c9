from dataclasses import replace

import pytest
from concurtrace.reports import _series

from concurtrace.model.recording import MemoryUsage, Recording
from tests import builders
from tests.builders import MIB, ZERO_NS, memory, memory_series, process

MAIN, CHILD = process(), process("Process-1", 101)


def usage(recording: Recording) -> MemoryUsage:
    assert recording.memory is not None
    return recording.memory


def test_processes_that_follow_each_other_are_not_added_up() -> None:
    both = usage(memory(memory_series([10, 10], MAIN), memory_series([20, 20], CHILD, start=40)))
    peak = _series.peak_memory(both, "RSS")
    assert peak is not None
    assert (peak.bytes, peak.processes) == (20 * MIB, 1)


def test_processes_at_the_same_time_are_added_up() -> None:
    both = usage(memory(memory_series([10, 30, 10], MAIN), memory_series([5, 7], CHILD, start=5)))
    peak = _series.peak_memory(both, "RSS")
    assert peak is not None
    assert (peak.bytes, peak.processes) == (37 * MIB, 2)
    assert peak.at_ns == ZERO_NS + 15_000_000


def test_pss_is_taken_where_it_was_read_and_carried_on_between_readings() -> None:
    main = memory_series([10, 12, 14], MAIN, pss=[6, 7, 8])
    assert main.pss_bytes[0] is not None
    rare = replace(main, pss_bytes=(None, main.pss_bytes[0], None))
    # 12 resident with 6 of its own share: 6 are others', before and after as well.
    total = _series.total_memory(usage(memory(rare)))
    assert total.measure == "PSS"
    assert total.bytes == (4 * MIB, 6 * MIB, 8 * MIB)


def test_without_any_pss_of_a_process_rss_is_added_up() -> None:
    total = _series.total_memory(
        usage(memory(memory_series([10], MAIN, pss=[5]), memory_series([20], CHILD)))
    )
    assert (total.measure, total.bytes) == ("RSS", (30 * MIB,))


def test_no_sample_is_no_peak() -> None:
    assert _series.peak_memory(MemoryUsage((), 1)) is None


def test_a_mean_over_time_weighs_by_length() -> None:
    assert _series.mean_over_time([1.0, 0.0], [3, 1]) == pytest.approx(0.75)
    assert _series.mean_over_time([], []) is None


def test_intervals_end_at_their_times() -> None:
    cores = builders.cores([0.5, 0.5, 0.5], step=10).cores
    assert cores is not None
    uneven = replace(cores, times_ns=(100, 110, 150), interval_ns=10)
    assert _series.interval_lengths(uneven) == [10, 10, 40]
