"""Links from rows about threads to their lanes in the timeline."""

from collections.abc import Mapping

from concurtrace.model.report import Report

from ..._threads import ThreadRow
from ..lanes import lane_numbers
from ..links import stretch


def thread_links(report: Report) -> Mapping[int, str]:
    """Give the address that shows a thread's life in its lane, by the ``id`` of its report."""
    trace, states = report.recording.trace, report.states
    if trace is None or states is None:
        return {}
    lanes = lane_numbers(trace)
    return {
        id(one): stretch(one.start_ns, one.end_ns, int(lanes[process.first + number]))
        for process, told in zip(trace.processes, states.processes, strict=True)
        for number, one in enumerate(told.threads)
    }


def link_of(row: ThreadRow, links: Mapping[int, str]) -> str:
    """Lead to the thread of a row; "" where the row is several threads."""
    return links.get(id(row.members[0]), "") if len(row.members) == 1 else ""
