"""The GIL over time, and the lines that others waited for."""

from concurtrace.reports.html.sections import cores, gil
from concurtrace.reports.html.sections.gil import View

from concurtrace.model.recording import Recording
from concurtrace.model.report import Report
from concurtrace.model.trace import Trace
from tests import builders
from tests.builders import one_pass, with_states
from tests.builders_trace import trace


def of(made: Trace) -> Report:
    light = one_pass("light", 110, instruments=("states",))
    return with_states(builders.report(light, recording=Recording(trace=made)))


def turns() -> Trace:
    return (
        trace()
        .thread("one").running(50, core=1).waits_gil(50, by="two")
        .sample(10, "/srv/shop/app.py:3 in hot")
        .thread("two").waits_gil(50, by="one").running(50, core=1)
        .sample(60, "/srv/shop/app.py:3 in hot").sample(70, "/srv/shop/app.py:4 in cool")
        .build()
    )  # fmt: skip


def test_who_held_it_when_and_how_many_waited() -> None:
    view = gil.build(of(turns())).view
    assert isinstance(view, View)
    (process,) = view.over_time
    one, two = process.holders
    # The darkest of five levels, and nothing else: each had it for a half.
    assert [path for path in one.paths if path] == ["M0 0h500v18h-500z"]
    assert two.paths == ("", "", "", "", "M500 0h500v18h-500z")
    assert (one.held, process.most) == ("50 %", "1.00")
    assert one.link == "#timeline?t0=0&t1=100000000&lane=1&at=0"


def test_lines_to_blame_come_with_their_share() -> None:
    view = gil.build(of(turns())).view
    assert isinstance(view, View)
    told = [(one.where, one.time, one.share, one.href) for one in view.blame]
    assert told == [
        ("app.py:3 in hot", "20.00", "67 %", ""),
        ("app.py:4 in cool", "10.00", "33 %", ""),
    ]


def test_without_waiters_there_is_nothing_to_draw() -> None:
    view = gil.build(of(trace().thread("one").running(5).build())).view
    assert isinstance(view, View)
    assert (view.over_time, view.blame) == ((), ())


def test_cores_are_drawn_from_switches_where_nobody_sampled_them() -> None:
    section = cores.build(of(turns()))
    assert isinstance(section.view, cores.View)
    (lane,) = section.view.lanes
    assert (lane.core, lane.mean, lane.highest) == (1, "100 %", "100 %")
    assert section.view.busy_with == "with the target"
    assert section.view.target_text == "1.00 on average, 1.00 at most"
    assert section.view.interval == ""
