"""Event loops over time: the latest step, and when it was."""

from dataclasses import replace

from concurtrace.reports.html.sections import tasks
from concurtrace.reports.html.sections._lag import over_time

from tests import builders
from tests.builders_tasks import task_trace


def test_lateness_and_work_of_a_loop_over_time() -> None:
    given = builders.everything()
    recorded = replace(given.recording, tasks=task_trace(builders.ZERO_NS))
    report = replace(given, recording=recorded)
    found = over_time(report)
    assert found is not None
    (strip,) = found.strips
    # The last step was ready for 3 ms, and ran at 25.
    assert strip.latest == "3.00 ms at most, 25.0 ms after the start"
    assert strip.link == "#timeline?t0=19000000&t1=28000000"
    assert found.highest == "3.00 ms"
    # Its strip reaches the top there and nowhere else.
    heights = [point.split(" ") for point in strip.late[1:-1].split("L")]
    assert [int(x) // 10 for x, y in heights if y == "0"] == [31]
    section = tasks.build(report)
    assert section is not None
    view = section.view
    assert isinstance(view, tasks.View)
    assert view.over_time == found
    assert view.blocked[0].link == "#timeline?t0=5000000&t1=17000000"


def test_without_steps_there_is_nothing_to_draw() -> None:
    assert over_time(builders.everything()) is None
