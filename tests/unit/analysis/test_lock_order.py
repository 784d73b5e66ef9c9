"""Cycles in the order of locks: found without a wait, where a deadlock could come of it."""

from dataclasses import replace

from concurtrace.analysis.lock_order import LONGEST, inversions, lock_steps
from concurtrace.model.trace import LockOrder, ObjectKind, Trace
from tests.builders_trace import trace

LOCKS = "ABCDEFGH"


def taking(*rows: str, lives: str = "same", handed: str = "", many: str = "") -> Trace:
    """A trace of takings written ``"t1: A B > C"``: t1 takes C while it holds A and B."""
    made = trace()
    for name in LOCKS:
        made.lock(name)
    for number in range(1, 9):
        made.thread(f"t{number}", start=0 if lives == "same" else number * 100).running(50)
    built = made.build()
    tids = {one.name: one.tid for one in built.threads}
    row_of = {one.text: row for row, one in enumerate(built.objects)}
    orders = []
    for row in rows:
        who, _, what = row.partition(": ")
        held, _, taken = what.partition(" > ")
        orders.append(
            LockOrder(
                row_of[taken],
                tuple(row_of[one] for one in held.split()),
                tuple(tids[one] for one in who.split()),
                many=row in many.split("; "),
            )
        )
    objects = tuple(
        replace(one, handed=int(bool(one.text) and one.text in handed)) for one in built.objects
    )
    return replace(built, orders=tuple(orders), objects=objects)


def cycles(built: Trace) -> list[str]:
    return [
        "".join(built.objects[step.held].text for step in one.steps) for one in inversions(built)
    ]


def test_two_locks_taken_in_opposite_orders_by_two_threads() -> None:
    built = taking("t1: A > B", "t2: B > A")
    (one,) = inversions(built)
    assert cycles(built) == ["AB"]
    assert [built.objects[step.taken].text for step in one.steps] == ["B", "A"]
    assert len(set(one.tids)) == 2


def test_one_order_is_no_inversion_whoever_takes_it() -> None:
    assert cycles(taking("t1: A > B", "t2: A > B", "t3: B > C", "t4: A B > C")) == []


def test_one_thread_alone_never_waits_for_itself() -> None:
    assert cycles(taking("t1: A > B", "t1: B > A")) == []
    assert cycles(taking("t1 t2: A > B", "t1: B > A")) == ["AB"]


def test_a_gate_held_around_both_orders_keeps_them_apart() -> None:
    assert cycles(taking("t1: C A > B", "t2: C B > A")) == []
    assert cycles(taking("t1: C A > B", "t2: D B > A")) == ["AB"]
    assert cycles(taking("t1: C A > B", "t2: B > A")) == ["AB"]


def test_threads_that_never_lived_at_one_time_do_not_wait_for_each_other() -> None:
    assert cycles(taking("t1: A > B", "t2: B > A", lives="one after the other")) == []


def test_a_signal_is_no_lock() -> None:
    assert cycles(taking("t1: A > B", "t2: B > A", handed="A")) == []


def test_five_philosophers_are_one_cycle_and_four_of_them_none() -> None:
    rows = ["t1: A > B", "t2: B > C", "t3: C > D", "t4: D > E", "t5: E > A"]
    assert cycles(taking(*rows)) == ["ABCDE"]
    assert cycles(taking(*rows[:4])) == []
    assert cycles(taking(*rows[:4], "t5: A > E")) == []


def test_a_cycle_needs_as_many_threads_as_locks() -> None:
    rows = ["t1: A > B", "t2: B > C", "t1: C > A"]
    assert cycles(taking(*rows)) == []
    assert cycles(taking(*rows, "t3: C > A")) == ["ABC"]


def test_of_an_order_that_many_threads_follow_there_is_always_one_more() -> None:
    row = "t1 t2 t3 t4: A > B"
    assert cycles(taking(row, "t1: B > A", many=row)) == ["AB"]


def test_locks_between_processes_are_the_same_lock_in_each() -> None:
    built = trace().process("one").thread("a").running(9).process("two").thread("b").running(9)
    for row in range(4):
        built.lock(f"row {row}", kind=ObjectKind.MP_LOCK)
    made = built.build()
    keys = [0, 7, 8, 7, 8]
    objects = tuple(replace(one, key=key) for one, key in zip(made.objects, keys, strict=True))
    a, b = (one.tid for one in made.threads)
    orders = (LockOrder(2, (1,), (a,)), LockOrder(3, (4,), (b,)))
    assert len(inversions(replace(made, objects=objects, orders=orders))) == 1


def test_the_search_ends_however_many_locks_there_are() -> None:
    made = trace().thread("a").running(9).thread("b").running(9)
    for number in range(120):
        made.lock(f"lock {number}")
    built = made.build()
    a, b = (one.tid for one in built.threads)
    rows = range(1, 121)
    forward = [LockOrder(taken, (held,), (a,)) for held in rows for taken in rows if held < taken]
    assert inversions(replace(built, orders=tuple(forward))) == ()
    (*_, last) = inversions(replace(built, orders=(*forward, LockOrder(1, (120,), (b,)))))
    assert len(last.steps) <= LONGEST


def test_steps_tell_every_order_once_those_in_circles_first() -> None:
    built = taking("t3: A > C", "t1 t2: A B > C", "t1: A > B", "t2: B > A")
    told = [
        (built.objects[one.held].text, built.objects[one.taken].text, one.threads, one.circle)
        for one in lock_steps(built)
    ]
    assert told == [
        ("A", "B", 1, True),
        ("B", "A", 1, True),
        ("A", "C", 3, False),
        ("B", "C", 2, False),
    ]


def test_an_order_that_a_gate_guards_is_in_no_circle() -> None:
    built = taking("t1: G A > B", "t2: G B > A")
    assert not any(one.circle for one in lock_steps(built))
