"""The lock table: what is listed, what it is called, and whom it blames."""

from dataclasses import replace

from concurtrace.analysis.locks import lock_table
from concurtrace.model.report import LockPlace
from concurtrace.model.states import Reason
from concurtrace.model.trace import LockOrder, ObjectKind
from tests.builders_trace import MS, trace

QUEUE = "/usr/lib/python3.11/queue.py:35 in Queue.__init__ < app.py:7 in main"


def test_a_lock_is_called_after_the_place_that_made_it() -> None:
    made = (
        trace()
        .lock("L", "app.py:3 in setup")
        .thread("holder").sleeps(20, at="app.py:9 in hold").running(5)
        .thread("waiter").waits_lock(20, "L", by="holder", at="app.py:15 in wait").running(5)
        .build()
    )  # fmt: skip
    (lock,) = lock_table(made)
    assert (lock.name, lock.kind, lock.created_at) == ("Lock made in setup", "Lock", "app.py:3")
    assert (lock.contended, lock.wait_ns) == (1, 20 * MS)
    assert lock.held_by == (LockPlace("app.py:9 in hold", 20 * MS),)
    assert lock.waited_at == (LockPlace("app.py:15 in wait", 20 * MS),)


def test_what_the_holder_did_before_the_wait_is_not_blamed() -> None:
    made = (
        trace()
        .thread("holder").io(30, at="app.py:8 in load").sleeps(20, at="app.py:9 in hold")
        .thread("waiter").running(30).waits_lock(20, "L", by="holder", at="app.py:15 in wait")
        .build()
    )  # fmt: skip
    (lock,) = lock_table(made)
    assert lock.held_by == (LockPlace("app.py:9 in hold", 20 * MS),)


def test_the_lock_inside_a_queue_is_called_a_queue() -> None:
    made = (
        trace()
        .lock("L", QUEUE)
        .thread("a").running(10)
        .thread("b").waits_lock(10, "L", by="a")
        .build()
    )  # fmt: skip
    (lock,) = lock_table(made)
    assert (lock.name, lock.created_at) == ("Queue made in main", "app.py:7")


def test_locks_made_at_one_place_are_one_row() -> None:
    made = (
        trace()
        .lock("L", "app.py:3 in setup").lock("M", "app.py:3 in setup")
        .thread("a").running(30)
        .thread("b").waits_lock(10, "L", by="a").waits_lock(20, "M", by="a")
        .build()
    )  # fmt: skip
    (lock,) = lock_table(made)
    assert (lock.locks, lock.contended, lock.wait_ns) == (2, 2, 30 * MS)


def test_a_lock_that_only_signals_is_not_listed() -> None:
    made = (
        trace()
        .thread("a").running(30)
        .thread("b").waits(30, Reason.JOIN, on="L", by="a")
        .build()
    )  # fmt: skip
    assert lock_table(made) == ()


def test_a_pipe_is_no_lock() -> None:
    made = trace().lock("P", kind=ObjectKind.PIPE).thread("a").waits_lock(5, "P").build()
    assert lock_table(made) == ()


def test_the_costliest_lock_comes_first() -> None:
    made = (
        trace()
        .lock("small", "app.py:3 in f").lock("big", "app.py:4 in g")
        .thread("a").running(50)
        .thread("b").waits_lock(10, "small", by="a").waits_lock(40, "big", by="a")
        .build()
    )  # fmt: skip
    assert [lock.created_at for lock in lock_table(made)] == ["app.py:4", "app.py:3"]


def test_a_lock_that_processes_share_is_listed_once_it_was_waited_for_or_nested() -> None:
    made = trace().lock("S", "app.py:3 in setup", ObjectKind.MP_LOCK).lock("L", "app.py:4 in setup")
    built = made.thread("a").running(9).build()
    assert [one.name for one in lock_table(built)] == ["Lock made in setup"]
    order = LockOrder(1, (2,), (built.threads[0].tid,))
    assert len(lock_table(replace(built, orders=(order,)))) == 2
