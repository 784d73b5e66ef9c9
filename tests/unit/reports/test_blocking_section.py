"""Who waited for whom, and the order of locks."""

from dataclasses import replace

import pytest
from concurtrace.reports.html.sections import blocking
from concurtrace.reports.html.sections.blocking import View

from concurtrace.model.recording import Recording
from concurtrace.model.trace import LockOrder
from tests import builders
from tests.builders import one_pass, with_states
from tests.builders_trace import trace


def view_of(**changes: object) -> View:
    made = (
        trace()
        .lock("A", "a.py:1 in main").lock("B", "a.py:2 in main")
        .thread("one").running(10).waits_lock(30, "A", by="two").running(5)
        .waits_lock(10, "A", by="two")
        .thread("two").running(40).waits_gil(20, by="one").running(5)
        .build(**changes)
    )  # fmt: skip
    light = one_pass("light", 110, instruments=("states",))
    report = with_states(builders.report(light, recording=Recording(trace=made)))
    view = blocking.build(report).view
    assert isinstance(view, View)
    return view


def test_waits_are_added_up_by_pair_and_lead_to_the_longest() -> None:
    first, second = view_of().edges
    assert (first.waiter, first.other, first.state) == ("one", "two", "waiting for a lock")
    assert (first.waits, first.keys, first.longest) == ("2", (2, 40_000_000), "30.0 ms")
    # Lane 0 is the GIL.
    assert first.link == "#timeline?t0=0&t1=55000000&lane=1&at=10000000"
    assert (second.waiter, second.other, second.keys) == ("two", "one", (1, 20_000_000))


@pytest.mark.parametrize("circle", [False, True])
def test_locks_taken_in_both_orders_are_a_circle(circle: bool) -> None:
    orders = (LockOrder(2, (1,), (100,)), *((LockOrder(1, (2,), (101,)),) if circle else ()))
    view = view_of(orders=orders)
    assert [one.circle for one in view.order.orders] == [circle] * len(orders)
    assert view.order.circles is circle
    assert view.order.orders[0].held.startswith(("1: Lock A", "1: Lock B"))
    edges = view.order.picture.edges
    assert len(edges) == len(orders)
    assert all(("strong" in one.look) is circle for one in edges)
    assert all(one.label.startswith("▲ circle") is circle for one in edges)


def test_the_picture_has_an_arrow_for_every_pair_of_threads() -> None:
    view = view_of()
    edges = [(one.label, one.look) for one in view.picture.edges]
    assert edges == [("40.0 ms lock", "w5"), ("20.0 ms GIL wait", "w2")]
    assert [one.name for one in view.picture.nodes] == ["one", "two"]


def test_without_waits_or_states_it_says_so() -> None:
    light = one_pass("light", 110, instruments=("states",))
    made = trace().thread("one").running(10).build()
    quiet = with_states(builders.report(light, recording=Recording(trace=made)))
    assert blocking.build(quiet).answer.startswith("No wait of one thread")
    missing = blocking.build(replace(builders.report())).absence
    assert missing is not None
    assert missing.command.endswith("--with baseline,states")


def test_waits_that_never_ended_lead_to_who_had_the_lock() -> None:
    made = (
        trace()
        .lock("A").lock("B")
        .thread("one").running(10).waits_lock(90, "A")
        .thread("two").running(20).waits_lock(80, "B")
        .thread("third").running(5).waits_lock(5, "A").running(90)
        .build()
    )  # fmt: skip
    first, second, third = (one.tid for one in made.threads)
    orders = (
        LockOrder(1, (2,), (first,)),
        LockOrder(2, (1,), (second,)),
        LockOrder(1, (2,), (third,)),
    )
    stuck = replace(made, orders=orders)
    light = one_pass("light", 110, instruments=("states",))
    report = builders.report(light, recording=Recording(trace=stuck), standstill="they wait")
    section = blocking.build(with_states(report))
    assert section.answer.startswith("2 threads waited to the end of the run for locks")
    view = section.view
    assert isinstance(view, View)
    assert view.stuck == (("one", "two"), ("two", "one"))
    assert [one.label for one in view.picture.edges] == ["▲ to the end"] * 2
    ended = builders.report(light, recording=Recording(trace=stuck))
    view = blocking.build(with_states(ended)).view
    assert isinstance(view, View)
    assert view.stuck == ()
