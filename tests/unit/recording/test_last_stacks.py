"""Stacks that a process wrote at its end stand for the waits that were never finished."""

from pathlib import Path

from concurtrace.recording import layout
from concurtrace.recording.last_stacks import parse
from concurtrace.recording.processes import KnownProcess
from concurtrace.recording.read import Context, read_trace

from . import writer
from .invariants import check
from .writer import ProcessFile

TEXT = """\
Thread 0x00007febe506c6c0 (most recent call first):
  File "/srv/a.py", line 6 in take
  File "/srv/odd "name", line 3 in x.py", line 12 in run

Current thread 0x00007febf7054f00 (most recent call first):
  File "/opt/concurtrace/launch/agent.py", line 251 in _terminated
  File "/srv/a.py", line 11 in <module>
  File "/srv/a.p"""


def test_every_thread_has_its_frames_and_ours_are_left_out() -> None:
    stacks, found = parse(TEXT)

    def frames(number: int) -> list[str]:
        told = []
        while number:
            number, code, line = stacks.frames[number]
            told.append(f"{stacks.functions[code].file}:{line} in {stacks.functions[code].name}")
        return told

    assert {hex(ident): frames(number) for ident, number in found.items()} == {
        "0x7febe506c6c0": ["/srv/a.py:6 in take", '/srv/odd "name", line 3 in x.py:12 in run'],
        "0x7febf7054f00": ["/srv/a.py:11 in <module>"],
    }


def test_an_open_wait_has_the_last_stack_and_the_lock_at_its_address(tmp_path: Path) -> None:
    made = ProcessFile(10, status=layout.ALIVE)
    made.thing(5, 1, 0x1000)
    made.thread(11, state=writer.LOCK_WAIT, pthread=0x7FEBE506C6C0, wait_address=0x1000)
    made.span(writer.RUNNING, 1000)
    made.thread(12, state=writer.LOCK_WAIT, pthread=0x1, wait_address=0x2000)
    made.span(writer.RUNNING, 9000)
    made.write(tmp_path)
    known = KnownProcess(10, made.start_ns, "main", "main", {}, TEXT)
    trace = read_trace(tmp_path, Context((known,), made.start_ns + 20_000))
    check(trace)
    last = [trace.spans_of(thread) for thread in trace.threads]
    told, untold = (int(spans.stack[-1]) for spans in last)
    assert trace.stacks.functions[trace.stacks.code[told]].name == "take"
    assert trace.stacks.line[told] == 6
    assert untold == 0
    assert [trace.objects[spans.object[-1]].key for spans in last] == [0x1000, 0]
