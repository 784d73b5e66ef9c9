"""States, GIL, locks and who ran where: the sections, from small traces."""

import itertools
import re
from dataclasses import replace

import pytest
from concurtrace.reports import _states
from concurtrace.reports._states import WORDS, shares_text
from concurtrace.reports._threads import left_out, thread_rows
from concurtrace.reports.html import RENDERER
from concurtrace.reports.html.bars import marks, stack
from concurtrace.reports.html.sections import cores, gil, locks, states
from concurtrace.reports.markdown import RENDERER as MARKDOWN
from concurtrace.reports.terminal import RENDERER as TERMINAL

from concurtrace.model.recording import Recording
from concurtrace.model.report import Report
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import Origin, Trace
from tests import builders
from tests.builders import one_pass, with_states
from tests.builders_trace import TraceBuilder, trace


def shown(made: TraceBuilder, **changes: object) -> Report:
    given = builders.report(
        one_pass("baseline", 100),
        one_pass("light", 110, instruments=("states",), overhead=1.1),
        recording=Recording(trace=made.build(**changes)),
    )
    return with_states(given)


def convoy() -> TraceBuilder:
    return (
        trace()
        .lock("L", "/srv/shop/app.py:3 in setup")
        .thread("MainThread").running(40, core=0).waits_gil(10, by="waiter").sleeps(50)
        .thread("waiter").waits_lock(40, "L", by="MainThread", at="/srv/shop/app.py:9 in f")
        .running(10, core=1)
    )  # fmt: skip


def test_every_state_has_words_of_its_own() -> None:
    assert set(WORDS) == set(State)
    for field in ("name", "short", "token"):
        assert len({getattr(one, field) for one in WORDS.values()}) == len(State)
    # What has the same colour or none differs by its pattern; a problem has one in any case.
    for state in (State.GIL_WAIT, State.GIL_BLOCKED, State.LOCK_WAIT, State.RUNNABLE):
        assert WORDS[state].pattern != "solid"


@pytest.mark.parametrize("section", [states, gil, locks])
def test_what_was_not_recorded_is_told_with_what_to_do(section: object) -> None:
    missing = section.build(builders.report()).absence  # type: ignore[attr-defined]
    assert missing.why.endswith("the instrument states was not asked for.")
    assert missing.command.endswith("--with baseline,states")


class TestStates:
    def test_shares_are_told_in_words_and_in_the_table(self) -> None:
        section = states.build(shown(convoy()))
        assert section.answer == (
            "Of the 150 ms that 2 threads lived together: running Python 33 %, sleeping 33 %,"
            " waiting for a lock 27 %."
        )
        view = section.view
        assert isinstance(view, states.View)
        ((group),) = view.groups
        assert [bar.words for bar in group.bars] == [
            "running Python 40 %, waiting for the GIL 10 %, sleeping 50 %",
            "running Python 20 %, waiting for a lock 80 %",
        ]
        assert view.columns[-1] == "unknown"
        assert view.legend[-1].share == "0 %"
        # Every row of the table sums to the lifetime that stands before its states.
        for bar in group.bars:
            assert sum(bar.keys[2:]) == bar.keys[0]

    def test_the_bar_covers_its_width_without_gap(self) -> None:
        parts = stack({State.RUNNING: 1, State.GIL_WAIT: 1, State.UNKNOWN: 1}, gil=True)
        boxes = [re.findall(r"\d+", part.box) for part in parts]
        assert [part.token for part in parts] == ["running", "gil", "unknown"]
        assert boxes[0][0] == "0"
        assert boxes[-1][2] == "1000"
        assert all(left[2] == right[0] for left, right in itertools.pairwise(boxes))

    @pytest.mark.parametrize("pattern", ["slash", "backslash", "cross", "bars", "lines", "dots"])
    def test_marks_stay_inside_their_box(self, pattern: str) -> None:
        drawn = marks(pattern, 100, 130, 18)
        assert drawn
        for x, y in re.findall(r"[ML](-?\d+) (-?\d+)", drawn):
            assert 100 <= int(x) <= 130
            assert 0 <= int(y) <= 18

    def test_a_rest_too_small_to_tell_is_summed_up(self) -> None:
        told = shares_text({State.RUNNING: 996, State.SLEEP: 4}, gil=True)
        assert told == "running Python 100 %, the rest 0.4 %"

    def test_an_estimate_is_told_to_be_one(self) -> None:
        view = states.build(shown(convoy(), origin=Origin.ESTIMATED)).view
        assert isinstance(view, states.View)
        assert "estimated by sampling" in view.doubts[0]

    def test_idle_workers_are_told_apart(self) -> None:
        made = trace().thread("pool-1").running(50).waits(50, Reason.IDLE_WORKER)
        assert (
            "50 % of it is the expected waiting of pool workers" in states.build(shown(made)).answer
        )

    def test_without_a_gil_running_is_running(self) -> None:
        given = shown(trace().thread("MainThread").runs_free(10), gil=False)
        free = replace(given, environment=replace(given.environment, gil=False))
        assert states.build(free).answer.endswith("running Python 100 %.")


class TestManyThreads:
    def many(self) -> Report:
        made = trace().thread("MainThread").running(100)
        for number in range(200):
            made = made.thread(f"Thread-{number} (work)", start=number / 4).waits_gil(
                1, by="MainThread"
            )
        return shown(made)

    def test_threads_of_one_kind_of_name_are_one_row(self) -> None:
        given = self.many()
        assert given.states is not None
        rows = thread_rows(given.states, 60)
        assert [row.label for row in rows] == ["MainThread", "Thread-N (work): 200 threads"]
        assert rows[1].states == {State.GIL_WAIT: 200 * builders.MS}
        assert rows[1].waited_for == (("MainThread", 200 * builders.MS),)
        view = states.build(given).view
        assert isinstance(view, states.View)
        assert "N stands for the number" in view.note

    def test_what_is_hidden_is_counted(self) -> None:
        given = self.many()
        assert given.states is not None
        rows = thread_rows(given.states, 1)
        assert len(rows) == 1
        assert left_out(given.states, rows) == 1


class TestGil:
    def test_the_answer_has_both_figures(self) -> None:
        section = gil.build(shown(convoy()))
        assert section.answer == (
            "A GIL was held 50 % of the 100 ms of the run. Threads that wanted to run Python waited"
            " 17 % of that time for it, 10.0 ms together."
        )
        assert isinstance(section.view, gil.View)
        first = section.view.rows[0]
        assert (first.label, first.waited, first.longest) == ("MainThread", "10.00", "10.00")
        assert first.waited_for == (("waiter", "10.00"),)

    def test_without_a_gil_there_is_nothing_to_wait_for(self) -> None:
        given = shown(trace().thread("MainThread").runs_free(10), gil=False)
        free = replace(given, environment=replace(given.environment, gil=False))
        section = gil.build(free)
        assert "has no GIL" in section.answer
        assert section.view is None
        assert "has no GIL" in RENDERER.render(free)


class TestLocks:
    def test_a_lock_has_its_line_its_holder_and_its_waiters(self) -> None:
        section = locks.build(shown(convoy()))
        assert section.answer == (
            "Threads waited 40.0 ms for one lock, Lock made in setup (app.py:3), in one wait."
        )
        assert isinstance(section.view, locks.View)
        (row,) = section.view.rows
        assert row.created_at == "app.py:3"
        assert row.waited_at == (("app.py:9 in f", "40.00"),)
        assert row.held_by == (("running, not sampled", "40.00"),)

    def test_nobody_waited(self) -> None:
        made = trace().thread("MainThread").running(10)
        assert locks.build(shown(made)).answer == "No thread waited for a lock."
        estimated = locks.build(shown(made, origin=Origin.ESTIMATED)).answer
        assert "short waits are missed" in estimated


class TestCores:
    def test_who_ran_where_needs_no_sampled_cores(self) -> None:
        section = cores.build(shown(convoy()))
        assert isinstance(section.view, cores.View)
        assert section.view.users is not None
        told = [(row.core, row.time, row.share) for row in section.view.users.rows]
        assert told == [(0, "40.00", "40 %"), (1, "10.00", "10 %")]
        assert section.answer == "The target ran on 2 cores and used 0.500 of them on average."
        assert "Who ran on each core" in RENDERER.render(shown(convoy()))

    def test_without_switch_records_it_is_not_known(self) -> None:
        made = trace().thread("MainThread").running(10)
        assert cores.build(shown(made)).absence is not None
        given = shown(made)
        sampled = replace(given.recording, cores=builders.cores([0.5], [0.5]).cores)
        view = cores.build(replace(given, recording=sampled)).view
        assert isinstance(view, cores.View)
        assert view.users is not None
        assert "is not known" in view.users.note


class TestPlainText:
    def test_the_terminal_has_the_threads_the_gil_and_the_lock(self) -> None:
        text = TERMINAL.render(shown(convoy()))
        assert "held 50 % of the run; threads that wanted to run waited 17 %" in text
        row = next(line for line in text.splitlines() if line.startswith("waiter"))
        assert row.split()[1:] == ["50.0", "20", "%", "-", "80", "%", "-"]
        assert "40.00            1 of 0  Lock made in setup" in text

    def test_markdown_has_them_too(self) -> None:
        text = MARKDOWN.render(shown(convoy()))
        assert "| waiter | 50.0 ms | waiting for a lock 80 %, running Python 20 % |" in text
        assert "- GIL: held 50 % of the run" in text
        assert "Lock made in setup: threads waited 40.0 ms in one wait." in text


def test_folded_spans_are_told_and_sums_said_to_be_exact() -> None:
    given = shown(convoy())
    assert given.states is not None
    folded = replace(given.states, folded_spans=12, folded_ns=3_000, min_span_ns=(1000, 1000))
    assert _states.folded_sentence(folded) == (
        "12 spans shorter than 1.00 µs were added up and not kept singly, 3.00 µs together;"
        " sums are exact."
    )


def test_an_empty_trace_is_no_states() -> None:
    assert isinstance(shown(trace()).recording.trace, Trace)
    assert states.build(shown(trace())).absence is not None
    assert "sh" in RENDERER.render(shown(trace().process("sh")))
