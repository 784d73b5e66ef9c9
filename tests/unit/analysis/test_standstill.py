"""A standstill is told from what threads do at one moment."""

from dataclasses import replace

from concurtrace.analysis.standstill import describe, find_circle, waits_for_others
from concurtrace.model.states import Reason, State
from concurtrace.recording.live import LiveThread


def thread(tid: int, state: State, owner: int = 0, **more: object) -> LiveThread:
    made = LiveThread(
        pid=1,
        tid=tid,
        name=f"t{tid}",
        state=state,
        reason=Reason.NONE,
        since_ns=0,
        timed=False,
        address=0x1000,
        owner=owner,
        child=0,
        fd=-1,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_three_threads_that_want_each_others_locks_are_a_circle() -> None:
    outside = thread(9, State.LOCK_WAIT, 1)
    circle = [thread(n, State.LOCK_WAIT, n % 3 + 1) for n in (1, 2, 3)]
    found = find_circle([outside, *circle])
    assert {one.tid for one in found} == {1, 2, 3}
    assert describe(found, ()) == (
        "t1 (1) waits for a lock of t2 (2); t2 (2) waits for a lock of t3 (3);"
        " t3 (3) waits for a lock of t1 (1)"
    )


def test_a_join_closes_a_circle_and_does_not_make_one() -> None:
    joins = thread(1, State.CONDITION_WAIT, 2, reason=Reason.JOIN)
    wants = thread(2, State.LOCK_WAIT, 1)
    assert {one.tid for one in find_circle([joins, wants])} == {1, 2}
    both = [joins, thread(2, State.CONDITION_WAIT, 1, reason=Reason.JOIN)]
    assert find_circle(both) == ()


def test_a_time_limit_breaks_a_circle() -> None:
    assert find_circle([thread(1, State.LOCK_WAIT, 2), thread(2, State.LOCK_WAIT, 1)])
    patient = thread(2, State.LOCK_WAIT, 1, timed=True)
    assert find_circle([thread(1, State.LOCK_WAIT, 2), patient]) == ()


def test_what_comes_from_outside_is_no_wait_for_others() -> None:
    assert waits_for_others(thread(1, State.CONDITION_WAIT))
    assert waits_for_others(thread(1, State.GIL_BLOCKED, reason=Reason.LOCK))
    # A signal, a socket, a clock.
    assert not waits_for_others(thread(1, State.CONDITION_WAIT, address=0))
    assert not waits_for_others(thread(1, State.IO_WAIT))
    assert not waits_for_others(thread(1, State.SLEEP))
    assert not waits_for_others(thread(1, State.GIL_BLOCKED, reason=Reason.SLEEP))


def test_who_waits_alone_for_an_event_is_named_with_it() -> None:
    waits = thread(1, State.CONDITION_WAIT, reason=Reason.EVENT)
    assert describe((), [waits]) == "every thread waits for another: t1 (1) in CONDITION_WAIT/event"
