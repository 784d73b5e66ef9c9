import itertools
import json
from dataclasses import replace

import pytest
from concurtrace.reports.html import chart
from concurtrace.reports.html.sections import (
    artifacts,
    cores,
    flame,
    functions,
    memory,
    overview,
    passes,
    source,
    tables,
)

from concurtrace.model.recording import CallNode, Function, Loss, Table
from concurtrace.model.run import PassStatus
from tests import builders
from tests.builders import MIB, function_table, node, not_done, one_pass, process, report, tree

MAIN, CHILD = process(), process("Process-1", 101)


@pytest.mark.parametrize(
    ("build", "instrument"),
    [
        (functions.build, "functions"),
        (flame.build, "timeline"),
        (source.build, "lines"),
        (memory.build, "memory"),
        (cores.build, "cores"),
        (artifacts.build, "timeline"),
    ],
)
def test_what_was_not_recorded_is_told_with_what_to_do(build: object, instrument: str) -> None:
    missing = build(report()).absence  # type: ignore[operator]
    assert missing.why.endswith(f"the instrument {instrument} was not asked for.")
    assert missing.command.endswith(f"--with baseline,{instrument}")
    failed = build(report(not_done(instrument, "no disk"))).absence  # type: ignore[operator]
    assert "no disk" in failed.why


def test_other_recordings_have_no_section_without_one() -> None:
    assert tables.build(report()) is None


class TestOverview:
    def test_it_points_at_the_hottest_own_code(self) -> None:
        view = overview.build(builders.everything()).view
        function, line, grown = (one.address for one in view.pointers)
        assert function == "functions"
        assert line == source.line_anchor(builders.FILE, 4)
        assert grown == source.line_anchor(builders.FILE, 4)
        assert "fetch" in view.pointers[0].text

    def test_the_line_is_one_of_the_hottest_function(self) -> None:
        caller = builders.lines({5: (1, 500)}, name="main").lines
        inner = builders.lines({4: (10, 90)}, name="fetch").lines
        assert caller is not None
        assert inner is not None
        recording = replace(
            builders.functions(function_table({"fetch": (10, 90, 90), "main": (1, 1, 91)})),
            lines=replace(caller, tables=caller.tables + inner.tables),
        )
        view = overview.build(report(recording=recording)).view
        assert view.pointers[1].text == (
            "The line that took most in fetch is crawl.py:4: 90.0 ms in 10 hits."
        )

    def test_doubts_come_before_the_numbers(self) -> None:
        busy = one_pass("baseline", 100, competing_load=0.4)
        view = overview.build(report(busy)).view
        assert len(view.warnings) == 1
        assert "40 % in the pass baseline" in view.warnings[0]

    def test_a_quiet_complete_run_has_none(self) -> None:
        assert overview.build(report()).view.warnings == ()

    def test_many_losses_are_counted(self) -> None:
        losses = tuple(Loss(f"process {n}", f"signal {n}") for n in range(5))
        made = builders.functions(losses=losses)
        view = overview.build(report(recording=made)).view
        assert view.warnings[-1] == "And 2 more things are missing or doubtful."

    def test_memory_nodes_are_told(self) -> None:
        given = report()
        machine = replace(given.environment.machine, numa_nodes=((0,), (1,)), usable_cores=1)
        given = replace(given, environment=replace(given.environment, machine=machine))
        rows = dict(overview.build(given).view.machine)
        assert "NUMA: 2 memory nodes" in rows["memory"]
        assert rows["cores"] == "1 usable of 2"


class TestPasses:
    def test_each_planned_pass_is_an_entry(self) -> None:
        given = report(
            one_pass("baseline", 100),
            one_pass("lines", 300, overhead=3.0),
            not_done("memory", "it is not installed"),
            not_done("timeline", "no disk", PassStatus.FAILED),
        )
        section = passes.build(given)
        rows = section.view.rows
        assert [row.status for row in rows] == ["ok", "ok", "skipped", "failed"]
        assert [row.wall for row in rows] == ["100.0", "300.0", "not measured", "not measured"]
        assert [row.cost for row in rows] == ["1", "3.00 times"] + ["not comparable"] * 2
        assert [row.bar for row in rows] == [33, 100, 0, 0]
        assert rows[2].reason == "it is not installed"
        assert section.answer == (
            "2 of 4 passes are complete. Watching made the target 3.00 times as long at most."
        )


class TestFunctions:
    def test_threads_are_added_up_and_kept_apart(self) -> None:
        recording = builders.functions(
            function_table({"fetch": (10, 60, 60)}, MAIN),
            function_table({"fetch": (5, 20, 20), "parse": (1, 20, 20)}, CHILD, "Worker", 7),
        )
        section = functions.build(report(recording=recording))
        assert [(row.name, row.calls, row.share) for row in section.view.rows] == [
            ("fetch", "15", "80 %"),
            ("parse", "1", "20 %"),
        ]
        assert section.view.threads == (
            "MainProcess (100), MainThread",
            "Process-1 (101), Worker",
        )
        data = section.data["functions"]
        names = [name for name, _, _ in data["functions"]]
        own = [{names[row[0]]: row[1:] for row in thread["rows"]} for thread in data["threads"]]
        assert own[0] == {"fetch": [10, 60_000_000, 60_000_000]}
        assert own[1]["parse"] == [1, 20_000_000, 20_000_000]

    def test_a_function_leads_to_its_lines_where_the_page_has_them(self) -> None:
        counted = builders.functions(
            function_table({"other": (1, 1, 1), "fetch": (9, 9, 9), "parse": (2, 1, 1)})
        )
        timed = builders.lines({4: (10, 6)})
        section = functions.build(report(recording=builders.merged(counted, timed)))
        # "fetch" begins in line 2 with a decorator, its "def" is in line 3.
        assert [(row.name, row.href) for row in section.view.rows] == [
            ("fetch", "#in-0"),
            ("other", ""),
            ("parse", ""),
        ]

    def test_many_threads_are_bounded_and_counted(self) -> None:
        made = [function_table({"f": (1, n, n)}, MAIN, f"T{n}", n) for n in range(1, 101)]
        section = functions.build(report(recording=builders.functions(*made)))
        assert len(section.view.threads) == 64
        assert section.view.threads[0].endswith("T100")
        assert section.view.note.startswith("Of 100 threads, the 64")


def chain(length: int, total: float) -> CallNode:
    """A recursion so deep that no code of ours may recurse over it."""
    made = CallNode(Function(builders.FILE, 1, "leaf"), 1, round(total * builders.MS), ())
    for _ in range(length):
        made = CallNode(Function(builders.FILE, 1, "again"), 1, made.total_ns, (made,))
    return made


class TestFlame:
    def test_columns_hold_the_tree_callers_first(self) -> None:
        given = builders.timeline(
            tree(node("main", 90, node("parse", 20), node("fetch", 50, node("send", 10))), of=MAIN)
        )
        section = flame.build(report(recording=given))
        data = section.data["flame"]
        names = [name for name, _, _ in data["functions"]]
        columns = data["trees"][0]
        assert [names[number] for number in columns["function"]] == [
            "main",
            "fetch",
            "send",
            "parse",
        ]
        assert columns["depth"] == [0, 1, 2, 1]
        assert columns["own"] == [20_000_000, 40_000_000, 10_000_000, 20_000_000]

    def test_the_table_names_the_path_of_the_most_expensive_frames(self) -> None:
        given = builders.timeline(tree(node("main", 90, node("fetch", 80)), of=MAIN))
        rows = flame.build(report(recording=given)).view.rows
        assert [(row.name, row.path) for row in rows] == [
            ("fetch", "main"),
            ("main", "nothing: it is the outermost"),
        ]

    def test_the_page_is_bounded_and_no_frame_loses_its_callers(self) -> None:
        small = [node(f"f{n}", 1 + n / 100_000) for n in range(flame.NODES + 50)]
        given = builders.timeline(tree(node("main", 20_000, *small)), tree(chain(3, 0.5), of=CHILD))
        section = flame.build(report(recording=given))
        columns = section.data["flame"]["trees"]
        assert sum(len(one["total"]) for one in columns) == flame.NODES
        for one in columns:
            assert all(after <= before + 1 for before, after in itertools.pairwise(one["depth"]))
            assert one["depth"][:1] in ([], [0])
        assert section.view.note.startswith("55 shorter frames")

    def test_deep_recursion_is_no_trouble(self) -> None:
        given = builders.timeline(tree(chain(5_000, 10)))
        section = flame.build(report(recording=given))
        assert max(section.data["flame"]["trees"][0]["depth"]) == 5_000
        json.dumps(section.data)


class TestSource:
    def test_lines_of_all_processes_are_added_up(self) -> None:
        recording = builders.merged(
            builders.lines({4: (10, 6), 5: (10, 3)}, of=(MAIN, CHILD)),
            builders.memory_lines({4: 2.5}),
        )
        section = source.build(report(recording=recording))
        (block,) = section.view.blocks
        assert [(line.number, line.hits, line.heat) for line in block.lines] == [
            (3, "", 0),
            (4, "20", 5),
            (5, "20", 4),
        ]
        assert block.lines[0].text == "def fetch(url):"
        assert block.lines[1].memory == "+2.50"
        assert block.lines[1].share == "67 %"
        assert section.view.absent == ()

    def test_one_of_the_two_passes_is_enough(self) -> None:
        section = source.build(report(recording=builders.memory_lines({4: 2.5})))
        assert [one.command.endswith("baseline,lines") for one in section.view.absent] == [True]
        assert section.view.blocks[0].lines[-1].memory == "+2.50"

    def test_a_file_without_source_keeps_its_numbers(self) -> None:
        made = builders.lines({4: (10, 6)}).lines
        assert made is not None
        lost = replace(builders.lines({}), lines=replace(made, sources=()))
        (block,) = source.build(report(recording=lost)).view.blocks
        assert "not found" in block.lost
        assert [(line.number, line.text) for line in block.lines] == [(4, "")]

    def test_long_functions_and_many_are_bounded(self) -> None:
        text = tuple(f"x = {n}" for n in range(10_000))
        made = [
            builders.lines({n * 1000 + 1: (1, 1), n * 1000 + 900: (1, 1)}, text, name=f"f{n}").lines
            for n in range(9)
        ]
        together = [one.tables[0] for one in made if one is not None]
        assert made[0] is not None
        recording = replace(builders.lines({}), lines=replace(made[0], tables=tuple(together)))
        blocks = source.build(report(recording=recording)).view.blocks
        assert sum(len(block.lines) for block in blocks) <= 3_006
        assert all(block.lost for block in blocks)


class TestMemory:
    def test_each_process_has_a_strip_and_all_together_one(self) -> None:
        given = builders.memory(
            builders.memory_series([10, 40, 20], MAIN),
            builders.memory_series([5, 15], CHILD, start=10),
        )
        section = memory.build(report(recording=given))
        assert section.answer == (
            "At most 45.0 MiB (RSS of 2 processes together), 10.0 ms after the first reading."
        )
        labels = [strip.label for strip in section.view.strips]
        assert labels == ["all processes (RSS)", "MainProcess (100)", "Process-1 (101)"]
        assert [strip.peak_x for strip in section.view.strips] == [500, 500, 1000]
        assert section.view.rows[1].peak == "15.00"
        assert section.data["memory"]["curves"][1] == [
            [0, 10 * MIB],
            [10_000_000, 40 * MIB],
            [20_000_000, 20 * MIB],
        ]

    def test_many_processes_are_in_the_table(self) -> None:
        series = [builders.memory_series([n], process(f"P{n}", 200 + n)) for n in range(1, 41)]
        view = memory.build(report(recording=builders.memory(*series))).view
        assert len(view.strips) == 17
        assert len(view.rows) == 40
        assert view.note == "24 smaller processes are in the table alone."


class TestCores:
    def test_lanes_show_each_core_and_the_target(self) -> None:
        given = builders.cores([1.0, 1.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5], target=[1, 2, 1, 0])
        section = cores.build(report(recording=given))
        assert section.answer == (
            "The target used 1.00 of 2 cores on average; with all other programs, 1.00 were busy."
        )
        assert section.view.lanes[0].paths == ("", "", "", "", "M0 0h500v18h-500z")
        assert section.view.lanes[0].mean == "50 %"
        assert section.view.lanes[1].paths[2] == "M0 0h1000v18h-1000z"

    def test_many_readings_become_few_cells_of_the_same_mean(self) -> None:
        busy = [float(n % 2) for n in range(10_000)]
        view = cores.build(report(recording=builders.cores(busy))).view
        assert view.lanes[0].paths == ("", "", "M0 0h1000v18h-1000z", "", "")
        assert view.lanes[0].mean == "50 %"


class TestTables:
    def test_rows_are_bounded_and_gaps_told(self) -> None:
        table = Table("t", ("a", "b"), tuple((n, None) for n in range(501)), "A note.")
        recording = replace(builders.lines({}), lines=None, tables=(table,))
        (grid,) = tables.build(report(recording=recording)).view
        assert len(grid.rows) == 500
        assert grid.rows[1] == ("1", "not recorded")
        assert grid.note == "A note. The first 500 of 501 rows are shown."


class TestChart:
    def test_thinning_keeps_ends_and_peaks(self) -> None:
        points = [(x, 1.0) for x in range(5_000)]
        points[1234] = (1234, 99.0)
        kept = chart.thin(points)
        assert len(kept) <= chart.COLUMNS
        assert (points[0], points[-1]) == (kept[0], kept[-1])
        assert (1234, 99.0) in kept

    def test_an_area_stands_on_the_ground(self) -> None:
        assert chart.area([(0, 0), (10, 5)], 10, 40) == "M0 40L0 40L10 20L10 40Z"
        assert chart.area([], 10, 40) == ""
        assert chart.area([(0, 0)], 0, 40) == "M0 40L0 40L0 40Z"

    def test_steps_hold_their_value_from_the_point_before(self) -> None:
        assert chart.steps([(5, 1.0), (9, 2.0)], 0) == [(0, 1.0), (5, 1.0), (5, 2.0), (9, 2.0)]

    def test_neighbouring_cells_of_a_level_are_one(self) -> None:
        assert chart.cells([0, 10, 20, 30], [1, 1, 2], 5, 2) == (
            "M0 0h20v5h-20z",
            "M20 0h10v5h-10z",
        )

    def test_a_moment_is_a_span_too(self) -> None:
        span = chart.Span.around([7])
        assert (span.x(7), span.ticks()[0]) == (0, "0")
