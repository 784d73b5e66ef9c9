"""Futures: receipts for results that will be there some day, and what one can do with them.

A task waits for a while and gives a number, or (`urls`) asks a server for a page. Whoever submits
it gets a future at once: to ask for the result, to be told when it is there, to call it off.

What it shows: `urls` submits everything and asks for the results in turn; `map` does both in one
call, and gives results in the order of the input, though the first one takes longest;
`as-completed` takes them as they come. `cancel` calls off every second task while a gate holds the
workers: a future can be cancelled as long as nobody works on it. `callback` lets two functions be
called with each future when it is done, and `stub` makes futures by hand, as one does in tests.

What to look for in the report: who waits for what. In `map` the main thread waits for the first
task while all the other results lie there; in `as-completed` it wakes up for each. Callbacks run
in the thread that finished the task, not in the one that submitted it: look for their names in the
threads of the workers.

The faults: an exception is kept in its future until somebody asks, and with `result-never-asked`
nobody does. What a callback raises is only logged (`callback-raises`). `cancel-running` cancels too
late: `cancel()` says so, and is not heard. `nested-submit` lets the only worker wait for a task
that it would have to do itself.
"""

from collections.abc import Iterator, Mapping

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Result,
    Variant,
    Work,
    Workload,
)

WORKLOAD = Workload(
    lessons=("A26", "A27"),
    parameters=(
        Parameter("size", 80, "tasks", 1, 100_000, presets={"tiny": 8, "large": 1000}),
        Parameter(
            "workers", 4, "threads or processes of the executor", 1, 256, presets={"tiny": 2}
        ),
        Parameter(
            "task-ms",
            20,
            "how long a task waits, up to half as long again",
            0,
            60_000,
            presets={"tiny": 2},
        ),
        START_METHOD,
    ),
    variants=(
        Variant("urls", "ask a server; results in the order in which one asks for them"),
        Variant("map", "results in the order of the input, of which the first takes long"),
        Variant("as-completed", "results as they come"),
        Variant("cancel", "every second task is called off before it begins"),
        Variant("callback", "two functions are called when a future is done"),
        Variant(
            "stub",
            "futures made and filled by hand, with values and exceptions",
            modes=("executor", "async", "sequential"),
        ),
    ),
    faults=(
        Fault(
            "result-never-asked",
            "a task raises, and nobody asks its future for the result",
            FaultOutcome.WRONG_RESULT,
            modes=("executor", "async"),
            variant="as-completed",
        ),
        Fault(
            "callback-raises",
            "a callback raises, which is logged and forgotten",
            FaultOutcome.WRONG_RESULT,
            modes=("executor", "executor-processes", "async"),
            variant="callback",
        ),
        Fault(
            "cancel-running",
            "tasks are called off when they have begun, and nobody heeds that this fails",
            FaultOutcome.WRONG_RESULT,
            modes=("executor",),
            variant="cancel",
        ),
        Fault(
            "nested-submit",
            "the only worker waits for a task in the queue behind it",
            FaultOutcome.HANG,
            modes=("executor",),
            variant="as-completed",
        ),
    ),
    expects={
        "sequential/urls": ("unoverlapped-io",),
        "executor": ("small-pool",),
        "executor-processes": ("small-pool",),
        "async/urls": ("small-pool",),
    },
)


@WORKLOAD.service
def server(work: Work) -> Iterator[Mapping[str, str]]:
    """Serve pages to the variant that asks for them."""
    from .._site import served
    from .tasks import site_of

    if work.variant != "urls":
        yield {}
        return
    with served(site_of(work)) as address:
        yield {"site": address}


@WORKLOAD.mode(imports=("concurrent.futures.thread", "urllib.request", f"{__name__}.in_executors"))
def executor(work: Work) -> Result:
    """The futures of an executor of threads."""
    from .in_executors import use_threads

    return Result(use_threads(work))


@WORKLOAD.mode(imports=("concurrent.futures.process", "urllib.request", f"{__name__}.in_executors"))
def executor_processes(work: Work) -> Result:
    """The futures of an executor of processes; tasks and results go through pipes."""
    from .in_executors import use_processes

    return Result(use_processes(work))


@WORKLOAD.mode(imports=("asyncio", "urllib.request", f"{__name__}.in_tasks"))
def async_(work: Work) -> Result:
    """The futures of an event loop: tasks, wrapped futures of an executor, and bare ones."""
    from .in_tasks import use_loop

    return Result(use_loop(work))


@WORKLOAD.mode(imports=("urllib.request", f"{__name__}.alone"))
def sequential(work: Work) -> Result:
    """No futures: each result is there when the call returns."""
    from .alone import answer_all

    return Result(answer_all(work))


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Say what the results are without a task, a future or a request."""
    from .tasks import expected_records

    return Result(expected_records(work))
