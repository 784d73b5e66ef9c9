"""A window that stays alive while the program computes, or does not.

A button starts a job; beside it a heartbeat is drawn, again and again. Tk runs everything on one
thread, one callback after the other: what takes long there freezes the window, which then neither
draws nor hears. So the job goes to a thread, whose results come back through a queue; to a process,
through a pipe; or it is a coroutine that lets the window have its turn. The variant `canvas` has a
turtle beside it that follows keys, as in the course; here the keys are sent by the program.

What to look for in the report: the longest gap between two heartbeats (`gap-max-ms`, among what was
observed). Sequential it is as long as the job; with a thread it is a few switch intervals, because
the job holds the GIL for that long each time; with a process, next to nothing.

It needs a display, or Xvfb, which draws into memory. The faults: `blocked` has a thread or a
process for the job, and waits for it in the button's callback. `tk-from-thread` touches a widget
from a thread while Tk's own thread waits for that thread: neither can go on. `flooded` sends
Tk more events than it can handle between two heartbeats.
"""

import asyncio
import os
import random
import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

from .._service import running
from .job import MODULUS, STEPS, last_number

WORKLOAD = Workload(
    lessons=("A2", "A36", "B13"),
    default_mode="threads",
    expects={"threads": ("gil-convoy",)},
    parameters=(
        Parameter(
            "size",
            2000,
            "pieces of the job, each about a millisecond",
            1,
            1_000_000,
            presets={"tiny": 20, "large": 10_000},
        ),
        Parameter("heartbeat-ms", 10, "time between two heartbeats", 1, 1000),
        Parameter("keys", 40, "how many the turtle follows", 0, 10_000, presets={"tiny": 5}),
        START_METHOD,
    ),
    variants=(
        Variant("form", "a button and a heartbeat"),
        Variant("canvas", "a turtle that follows keys, too"),
    ),
    faults=(
        Fault(
            "blocked",
            "the button's callback waits until the job is done",
            FaultOutcome.COST,
            modes=("threads", "processes"),
        ),
        Fault(
            "tk-from-thread",
            "a thread touches a widget while Tk's thread waits for it",
            FaultOutcome.HANG,
            modes=("threads",),
        ),
        Fault(
            "flooded",
            "every piece of the job sends many events",
            FaultOutcome.COST,
            modes=("threads",),
        ),
    ),
)


@WORKLOAD.requirement
def lacking() -> str | None:
    """Look for Tk, and for something to draw on."""
    if find_spec("_tkinter") is None:
        return "this Python has no Tk; install it, for instance: apt-get install python3-tk"
    if not os.environ.get("DISPLAY") and shutil.which("Xvfb") is None:
        return "there is no display and no Xvfb; install one, for instance: apt-get install xvfb"
    return None


@WORKLOAD.service
def display(work: Work) -> Iterator[Mapping[str, str]]:
    """Use the display that there is, so that one can look on; else start one in memory."""
    there = os.environ.get("DISPLAY")
    if there:
        yield {"display": there}
        return
    with running(f"{__name__}._display", work.parameters) as address:
        yield {"display": address}


@WORKLOAD.mode(imports=("tkinter",))
def sequential(work: Work) -> Result:
    """The job in the button's callback: the window is frozen until it is done."""
    from .window import Window, compute_at_once

    return Window(work).run(compute_at_once)


@WORKLOAD.mode(imports=("tkinter",))
def threads(work: Work) -> Result:
    """The job in a thread, and a queue that the window looks into now and then."""
    from .window import Window, compute_in_thread

    return Window(work).run(compute_in_thread)


@WORKLOAD.mode(imports=("tkinter", "multiprocessing.process"))
def processes(work: Work) -> Result:
    """The job in a process, and a pipe that the window looks into now and then."""
    from .window import Window, compute_in_process

    return Window(work).run(compute_in_process)


@WORKLOAD.mode(imports=("tkinter", "asyncio"))
def async_(work: Work) -> Result:
    """The job as a coroutine, and Tk as another: each lets the other have its turn."""
    from .window import Window

    return asyncio.run(Window(work).run_in_loop())


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Work out each piece by a formula, and where the keys lead to."""
    records: list[Record] = []
    for index in range(work.size):
        last = last_number(work, index)
        records.append((index, last * (last + 1) * (2 * last + 1) // 6 % MODULUS))
    if work.variant == "canvas":
        draw = random.Random(work.seed)
        went = [STEPS[draw.choice(sorted(STEPS))] for _ in range(work.number("keys"))]
        records.append(("turtle", sum(x for x, _ in went), sum(y for _, y in went)))
    return Result(records)
