"""Python stacks that a process wrote of all its threads when it was told to end.

They stand for the waits that were never finished, which the recorder had no occasion to give a
stack. The text is that of ``faulthandler.dump_traceback``.
"""

import re
from collections.abc import Mapping

from concurtrace.model.recording import Function
from concurtrace.recording.tables import LocalStacks

_THREAD = re.compile(r"(?:Current thread|Thread) 0x([0-9a-f]+) ")
_FRAME = re.compile(r'  File "(.*)", line (\d+) in (.*)')
_OWN = "concurtrace/launch/agent.py"


def parse(text: str) -> tuple[LocalStacks, Mapping[int, int]]:
    """Return the stacks, and the id of the stack of each thread by its ``threading.get_ident()``.

    Lines that are none of ``dump_traceback`` (the text may be cut off) are left out.
    """
    stacks = LocalStacks()
    codes: dict[Function, int] = {}
    found = {}
    for ident, frames in _threads(text).items():
        parent = 0
        for function, line in reversed(frames):
            code = codes.setdefault(function, len(codes) + 1)
            stacks.functions[code] = function
            number = len(stacks.frames) + 1
            stacks.frames[number] = (parent, code, line)
            parent = number
        found[ident] = parent
    return stacks, found


def _threads(text: str) -> dict[int, list[tuple[Function, int]]]:
    found: dict[int, list[tuple[Function, int]]] = {}
    frames: list[tuple[Function, int]] = []
    for row in text.splitlines():
        if thread := _THREAD.match(row):
            frames = found[int(thread[1], 16)] = []
        elif (frame := _FRAME.fullmatch(row)) and not frame[1].endswith(_OWN):
            frames.append((Function(frame[1], 0, frame[3]), int(frame[2])))
    return found
