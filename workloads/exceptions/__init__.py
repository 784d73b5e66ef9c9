"""What becomes of an exception in a thread, a process, a task, a future or a callback.

Every task asks whether something is an even number. Some are given a word, or a number below zero,
and raise; which ones is fixed. Each model has its own way to bring an exception to somebody who
can handle it: a thread puts what `sys.exc_info()` says on a queue, or leaves it to
`threading.excepthook` (variant `hook`); a process sends the text of the traceback through a pipe; a
future keeps its exception until somebody asks; `gather` returns exceptions among the results, a
task group raises all of them at once (variant `group`); gevent calls what was linked, Twisted the
errback. In every one of them the program here knows which task failed, how, and in which function.

What to look for in the report: that nothing is missing; a failure costs next to nothing. The tasks
wait for a while, so more workers are faster in each mode. With a fault, look at what the program
printed: that is often all that is left of an exception.

The faults: `lost` joins the workers and looks no further; what a worker had still to do is never
done. `swallowed` has `except Exception: pass` where somebody wanted it quiet.
`unpicklable-exception` raises an exception in a process of a pool that can't be made anew in the
parent: the whole pool breaks, and says little about why.
"""

import asyncio
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

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

from .._models import GEVENT
from .in_loops import check_in_group, gather, told_by_errbacks, told_by_links
from .in_processes import told_by_pipe
from .in_threads import ask_futures, told_by_queue, told_to_the_hook
from .question import NAME, value_of

WORKLOAD = Workload(
    lessons=("A22", "A27", "A33", "D.2"),
    default_mode="threads",
    parameters=(
        Parameter("size", 1000, "tasks", 12, 1_000_000, presets={"tiny": 40, "large": 5000}),
        Parameter("workers", 4, "who share them", 1, 256, presets={"tiny": 2}),
        Parameter("task-ms", 4, "how long a task waits", 0, 10_000, presets={"tiny": 0}),
        START_METHOD,
    ),
    variants=(
        Variant("collect", "whoever collects the results gets the exceptions with them"),
        Variant("hook", "nobody asks: the hook for threads is told", modes=("threads",)),
        Variant("group", "tasks that fail together, in one exception group", modes=("async",)),
    ),
    faults=(
        Fault(
            "lost",
            "workers are joined, and nobody asks how they ended",
            FaultOutcome.WRONG_RESULT,
            modes=("threads", "processes"),
            variant="collect",
        ),
        Fault(
            "swallowed",
            "an exception is caught and thrown away",
            FaultOutcome.WRONG_RESULT,
            modes=("threads", "executor", "async"),
        ),
        Fault(
            "unpicklable-exception",
            "an exception that can't be made anew from its pickle",
            FaultOutcome.EXCEPTION,
            modes=("executor-processes",),
        ),
    ),
    expects=dict.fromkeys(("executor", "executor-processes"), ("small-pool",)),
)


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Threads, which put on a queue what `sys.exc_info()` says, or leave it to the hook."""
    return Result(told_to_the_hook(work) if work.variant == "hook" else told_by_queue(work))


@WORKLOAD.mode(imports=("concurrent.futures.thread",))
def executor(work: Work) -> Result:
    """An executor of threads: a future keeps what its task raised."""
    with ThreadPoolExecutor(work.workers, thread_name_prefix=NAME) as crew:
        return Result(ask_futures(crew, work))


@WORKLOAD.mode(imports=("concurrent.futures.process",))
def executor_processes(work: Work) -> Result:
    """An executor of processes: exceptions are pickled, and bring their traceback as text."""
    with ProcessPoolExecutor(work.workers) as crew:
        return Result(ask_futures(crew, work))


@WORKLOAD.mode(imports=("multiprocessing.process",))
def processes(work: Work) -> Result:
    """Processes with a pipe, through which the type, the words and the traceback's text come."""
    return Result(told_by_pipe(work))


@WORKLOAD.mode(imports=("asyncio",))
def async_(work: Work) -> Result:
    """Tasks: `gather` returns exceptions among the results, a group raises them together."""
    return Result(asyncio.run(check_in_group(work) if work.variant == "group" else gather(work)))


@WORKLOAD.mode(imports=("gevent", "gevent.pool"), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """Greenlets: functions linked to them are called with those that ended."""
    return Result(told_by_links(work))


@WORKLOAD.mode(imports=("twisted.internet.defer", "twisted.internet.task"), extra="twisted")
def twisted(work: Work) -> Result:
    """Deferreds: callbacks for answers, errbacks for failures, in one chain."""
    return Result(told_by_errbacks(work))


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say what was put in, without asking anybody."""
    records: list[Record] = []
    for index in range(work.size):
        value = value_of(work, index)
        if isinstance(value, str):
            records.append((index, "TypeError", f"no number: {value}", "is_even"))
        elif value < 0:
            records.append((index, "ValueError", f"below zero: {value}", "is_even"))
        else:
            records.append((index, ("even", "odd")[value & 1], "", ""))
    return Result(records)
