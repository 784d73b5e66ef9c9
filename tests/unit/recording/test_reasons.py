"""The primitive that a stack waits in, and which waits are its own."""

import numpy as np
import pytest

from concurtrace.model.recording import Function
from concurtrace.model.spans import SpanFlag, Spans, Stacks
from concurtrace.model.states import Reason, State
from concurtrace.recording.reasons import Refiner, standard_module
from concurtrace.recording.tables import LocalStacks, StackTable

LIB = "/usr/local/lib/python3.12/"
APP = "/srv/app.py"


def _stacks(frames: list[tuple[str, str]]) -> tuple[Stacks, int]:
    """Intern one stack, given innermost first; return its row."""
    table = StackTable()
    local = LocalStacks()
    for depth, (file, name) in enumerate(reversed(frames), start=1):
        full = file if file.startswith("/") else f"{LIB}{file}.py"
        local.functions[depth] = Function(full, 1, name)
        local.frames[depth] = (depth - 1, depth, 10)
    return (rows := table.add(local)) is not None and table.finish(), int(rows[len(frames)])


def _refined(
    frames: list[tuple[str, str]], state: State, flags: int = 0
) -> tuple[State, Reason | None]:
    stacks, row = _stacks(frames)
    spans = Spans(
        *(np.zeros(1, kind) for kind in Spans.kinds()),
    )
    spans.state[:], spans.stack[:], spans.flags[:] = state.code, row, flags
    Refiner(stacks).refine(spans)
    ((_, _, found, reason),) = spans.rows()
    return found, reason


JOIN = [("threading", "Thread._wait_for_tstate_lock"), ("threading", "Thread.join"), (APP, "main")]
GET = [("threading", "Condition.wait"), ("queue", "Queue.get"), (APP, "main")]
ENTER = [("threading", "Condition.__enter__"), ("queue", "Queue.get"), (APP, "main")]
THREAD = [("threading", "Thread.run"), ("threading", "Thread._bootstrap")]
WORKER = ("concurrent/futures/thread", "_worker")
POOL = ("multiprocessing/pool", "worker")
RECV = [("multiprocessing/connection", "Connection._recv")]
SEND = [("multiprocessing/connection", "Connection._send")]
TOLD = State.CONDITION_WAIT


@pytest.mark.parametrize(
    ("frames", "state", "expected"),
    [
        (JOIN, State.LOCK_WAIT, (TOLD, Reason.JOIN)),
        (GET, TOLD, (TOLD, Reason.QUEUE_EMPTY)),
        (GET, State.LOCK_WAIT, (State.LOCK_WAIT, Reason.NONE)),
        (ENTER, State.LOCK_WAIT, (State.LOCK_WAIT, Reason.NONE)),
        ([(APP, "main")], State.LOCK_WAIT, (State.LOCK_WAIT, Reason.NONE)),
        ([("threading", "Event.wait"), (APP, "f")], TOLD, (TOLD, Reason.EVENT)),
        ([("threading", "Barrier.wait"), (APP, "f")], TOLD, (TOLD, Reason.BARRIER)),
        ([WORKER, *THREAD], State.LOCK_WAIT, (TOLD, Reason.IDLE_WORKER)),
        ([(APP, "task"), WORKER, *THREAD], State.LOCK_WAIT, (State.LOCK_WAIT, Reason.NONE)),
        (
            [("concurrent/futures/thread", "_WorkItem.run"), WORKER, *THREAD],
            State.LOCK_WAIT,
            (State.LOCK_WAIT, Reason.NONE),
        ),
        (
            [*RECV, ("multiprocessing/queues", "SimpleQueue.get"), POOL],
            State.IO_WAIT,
            (TOLD, Reason.IDLE_WORKER),
        ),
        (
            [("multiprocessing/queues", "SimpleQueue.get"), POOL],
            State.LOCK_WAIT,
            (TOLD, Reason.IDLE_WORKER),
        ),
        (
            [*RECV, ("multiprocessing/queues", "Queue.get"), (APP, "main")],
            State.IO_WAIT,
            (TOLD, Reason.QUEUE_EMPTY),
        ),
        ([*RECV, (APP, "main")], State.IO_WAIT, (State.IO_WAIT, Reason.NONE)),
        (
            [("multiprocessing/process", "BaseProcess.join"), (APP, "main")],
            State.IO_WAIT,
            (State.CHILD_WAIT, Reason.NONE),
        ),
        (
            [("queue", "Queue.get"), ("/srv/lib/python3.12/site-packages/x.py", "get"), *JOIN],
            TOLD,
            (TOLD, Reason.QUEUE_EMPTY),
        ),
        (
            [("multiprocessing/queues", "JoinableQueue.put"), (APP, "main")],
            State.LOCK_WAIT,
            (TOLD, Reason.QUEUE_FULL),
        ),
        ([("/srv/queue.py", "Queue.get")], TOLD, (TOLD, Reason.NONE)),
        (GET, State.SLEEP, (State.SLEEP, Reason.NONE)),
    ],
)
def test_the_outermost_primitive_decides(
    frames: list[tuple[str, str]], state: State, expected: tuple[State, Reason]
) -> None:
    assert _refined(frames, state) == expected


def test_a_worker_that_cannot_hand_on_its_result_is_not_idle() -> None:
    frames = [*SEND, ("multiprocessing/queues", "SimpleQueue.put"), POOL]
    assert _refined(frames, State.IO_WAIT, SpanFlag.WRITE) == (TOLD, Reason.QUEUE_FULL)


def test_a_full_pipe_is_no_wait_for_work() -> None:
    frames = [*SEND, ("multiprocessing/queues", "Queue._feed")]
    assert _refined(frames, State.IO_WAIT, SpanFlag.WRITE) == (State.IO_WAIT, Reason.NONE)


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("/usr/lib/python3.11/threading.py", "threading"),
        ("/opt/py/lib/python3.13t/concurrent/futures/_base.py", "concurrent/futures/_base"),
        ("<frozen importlib._bootstrap>", "frozen"),
        ("/usr/lib/python3.11/site-packages/queue.py", None),
        ("/usr/lib/python3/dist-packages/queue.py", None),
        ("/home/u/python3.11/queue.pyc", None),
        ("/srv/threading.py", None),
    ],
)
def test_standard_modules_are_told_by_their_folder(file: str, module: str | None) -> None:
    assert standard_module(file) == module
