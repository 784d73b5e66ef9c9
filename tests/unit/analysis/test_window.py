"""A window has what happened in it, and nothing of what came before."""

from pathlib import Path

from concurtrace.analysis.window import clip
from concurtrace.model.states import State
from concurtrace.recording.read import read_trace
from tests.unit.recording import writer
from tests.unit.recording.writer import START_NS, ProcessFile

MS = 1_000_000


def test_short_waits_before_the_window_are_neither_timed_nor_counted(tmp_path: Path) -> None:
    made = ProcessFile(10)
    # As the import of many modules: nothing but short reads.
    made.thread(10).folded(writer.IO_WAIT, 5 * MS, 9000).span(writer.RUNNING, 20 * MS)
    made.folded(writer.IO_WAIT, 2 * MS, 40).span(writer.RUNNING, 10 * MS).end().write(tmp_path)
    whole = read_trace(tmp_path)
    inside = clip(whole, START_NS + 20 * MS, whole.end_ns)
    waits = inside.threads[0].totals[State.IO_WAIT]
    assert (waits.ns, waits.count) == (2 * MS, 40)
    assert (waits.folded_ns, waits.folded_count) == (2 * MS, 40)
