"""What is said of a target at one moment, from what its threads' slots hold."""

from concurtrace.analysis.live import ProcessView, ThreadView, refined, shares
from concurtrace.commands._live_text import describe
from concurtrace.model.recording import Function
from concurtrace.model.spans import Frame
from concurtrace.model.states import Reason, State


def test_shares_are_those_of_the_time_between_two_looks() -> None:
    before = {State.RUNNING: 700, State.IO_WAIT: 50}
    now = {State.RUNNING: 725, State.IO_WAIT: 125, State.SLEEP: 0}
    assert shares(now, before) == ((State.IO_WAIT, 0.75), (State.RUNNING, 0.25))
    assert shares(now, now) == ()


def test_the_primitive_that_a_thread_is_in_says_what_it_waits_for() -> None:
    lock = Function("/usr/lib/python3.11/threading.py", 295, "Condition.wait")
    queue = Function("/usr/lib/python3.11/queue.py", 154, "Queue.get")
    own = Function("/home/me/app.py", 3, "work")
    stack = (Frame(lock, 320), Frame(queue, 171), Frame(own, 9))
    told = refined(State.CONDITION_WAIT, Reason.NONE, stack)
    assert told == (State.CONDITION_WAIT, Reason.QUEUE_EMPTY)
    assert refined(State.RUNNING, Reason.NONE, stack) == (State.RUNNING, Reason.NONE)
    assert refined(State.SLEEP, Reason.NONE, ()) == (State.SLEEP, Reason.NONE)


def _thread(name: str, state: State, **more: object) -> ThreadView:
    given = {"awaits": "", "where": "app.py:9 in work", "holds_gil": False, **more}
    return ThreadView(7, name, state, Reason.NONE, 2_000_000, shares=(), **given)  # type: ignore[arg-type]


def test_a_line_names_who_holds_the_gil_and_the_next_what_is_awaited() -> None:
    runs = _thread("left", State.RUNNING, holds_gil=True)
    waits = _thread("right", State.GIL_WAIT, awaits="the GIL, held by left (7)", where="")
    lines = describe([ProcessView(4711, "main", True, (runs, waits), None)], colours=False)
    assert lines[0] == "process 4711 main · 2 threads · the GIL is held by left (7)"
    assert lines[2].split() == ["left", "(7)", "RUNNING", "2.00", "ms", "app.py:9", "in", "work"]
    assert lines[3].split() == ["right", "(7)", "GIL_WAIT", "2.00", "ms", "-"]
    assert lines[4].strip() == "waits for the GIL, held by left (7)"
    coloured = describe([ProcessView(4711, "main", True, (runs, waits), None)], colours=True)
    assert [line.count("\x1b[") for line in coloured] == [0, 0, 2, 2, 0]
