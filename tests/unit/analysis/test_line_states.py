"""Waits and samples by line of the target's own code."""

from concurtrace.analysis.line_states import line_states
from concurtrace.model.states import Reason, State
from tests.builders_trace import MS, trace

GET = (
    "/usr/lib/python3.11/queue.py:171 in Queue.get < /srv/app.py:9 in work < /srv/app.py:20 in main"
)
INSTALLED = "/usr/lib/python3/dist-packages/requests/api.py:5 in get"


def test_time_is_put_to_the_innermost_line_of_the_program_itself() -> None:
    made = (
        trace()
        .thread("one").waits(30, Reason.QUEUE_EMPTY, at=GET).io(10, at=GET)
        .io(7, at=f"{INSTALLED} < /srv/app.py:12 in work")
        .waits(50, Reason.IDLE_WORKER, at=GET).io(5, at=INSTALLED).sleeps(3)
        .running(20).sample(110, "/srv/app.py:12 in work", stands_for=4)
        .sample(112, "/srv/app.py:12 in work", State.IO_WAIT, stands_for=9)
        .build()
    )  # fmt: skip
    told = [(one.file, one.line, one.function, one.ran_ns, one.waits) for one in line_states(made)]
    assert told == [
        (
            "/srv/app.py",
            9,
            "work",
            0,
            {State.CONDITION_WAIT: 30 * MS, State.IO_WAIT: 10 * MS},
        ),
        ("/srv/app.py", 12, "work", 4 * MS, {State.IO_WAIT: 7 * MS}),
    ]


def test_nothing_recorded_is_no_line() -> None:
    assert line_states(trace().thread("one").running(5).build()) == ()
