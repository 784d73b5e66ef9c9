from dataclasses import replace

from concurtrace.analysis.hot import find_hot
from concurtrace.model.recording import Recording
from tests import builders
from tests.builders import MIB, MS, function_table, process

MAIN, CHILD = process(), process("Process-1", 101)


def test_functions_are_added_up_over_threads_and_ranked_by_own_time() -> None:
    recording = builders.functions(
        function_table({"fetch": (10, 20, 30), "parse": (5, 25, 25)}, MAIN),
        function_table({"fetch": (3, 10, 10)}, CHILD),
        function_table({"fetch": (1, 1, 1)}, CHILD, "Thread-1", 7),
    )
    hot = find_hot(recording).functions
    assert [(one.function.name, one.calls, one.own_ns // MS) for one in hot] == [
        ("fetch", 14, 31),
        ("parse", 5, 25),
    ]
    assert (hot[0].processes, hot[0].threads) == (2, 3)


def test_lines_are_added_up_over_processes() -> None:
    hot = find_hot(builders.lines({4: (10, 6), 5: (2, 7)}, of=(MAIN, CHILD))).lines
    assert [(one.line, one.hits, one.time_ns // MS, one.processes) for one in hot] == [
        (5, 4, 14, 2),
        (4, 20, 12, 2),
    ]
    assert hot[1].source == "page = download(url)"


def test_a_comprehension_is_not_added_to_the_line_that_holds_it() -> None:
    outer = builders.lines({4: (1, 100)}, name="fetch").lines
    inner = builders.lines({4: (50, 99)}, name="fetch.<locals>.<listcomp>").lines
    assert outer is not None
    assert inner is not None
    together = replace(outer, tables=outer.tables + inner.tables)
    hot = find_hot(Recording(lines=together)).lines
    assert [(one.function, one.hits, one.time_ns // MS, one.processes) for one in hot] == [
        ("fetch", 1, 100, 1),
        ("fetch.<locals>.<listcomp>", 50, 99, 1),
    ]


def test_memory_lines_are_ranked_by_what_they_added() -> None:
    hot = find_hot(builders.memory_lines({4: 1, 5: 3, 3: -2})).memory_lines
    assert [one.line for one in hot] == [5, 4, 3]
    assert hot[0].increment_bytes == 3 * MIB


def test_nothing_recorded_is_nothing_hot() -> None:
    hot = find_hot(Recording())
    assert (hot.functions, hot.lines, hot.memory_lines) == ((), (), ())
