"""Processes of CSP: each does one thing by itself, and they meet only at channels.

CSP, communicating sequential processes, is a model of its own: nothing is shared, a channel hands
over one message at a time, and who is first waits for the other. A network is told by what each
process reads and writes: two of them, one that sends and one that adds up (`two-process`); a row of
them, each with a small step (`pipeline`); or some that read from one channel and write to another
(`fan-out`). When a process has nothing more to send it retires from its channel; the last to do so
ends the channel, and everybody who reads from it. pycsp runs them as threads that meet at sockets,
as greenlets, or as processes of the operating system; aiochan has channels for asyncio. The mode
`threads` is a twin with queues.

What to look for in the report: what a message costs, for the work on it is next to nothing. Between
threads of pycsp each takes several switches and a trip through the loopback interface, between
greenlets or tasks it is a function call. The same network, the same result, and ten times and more
between them: the model says nothing about its price.

The fault `no-retire` forgets to say that nothing more will come: whoever reads waits for ever.
"""

import asyncio

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

from .network import adding_up, in_order, numbers

WORKLOAD = Workload(
    lessons=("A35", "B18"),
    parameters=(
        Parameter("size", 4000, "messages", 1, 1_000_000, presets={"tiny": 20, "large": 20_000}),
        Parameter(
            "workers", 3, "processes beside each other in a fan-out", 1, 64, presets={"tiny": 2}
        ),
        START_METHOD,
    ),
    variants=(
        Variant("fan-out", "one channel, several readers"),
        Variant("two-process", "one that sends and one that adds up"),
        Variant("pipeline", "a row of processes, each with a step of the work"),
    ),
    faults=(
        Fault(
            "no-retire",
            "nobody says that nothing more will come",
            FaultOutcome.HANG,
            modes=("csp", "csp-aio", "threads"),
        ),
    ),
    default_mode="csp",
    # Between processes, pycsp's channels exchange dozens of messages for each of the program's.
    expects={
        "csp": ("context-switch-storm",),
        "threads": ("queue-back-pressure",),
        "processes": ("chatty-io",),
    },
)


@WORKLOAD.mode(imports=("pycsp.parallel", f"{__name__}.in_pycsp"), extra="csp")
def csp(work: Work) -> Result:
    """Processes of pycsp that are threads, with channels over sockets."""
    from .._csp import parallel
    from .in_pycsp import run

    with parallel() as kit:
        return run(work, kit)


@WORKLOAD.mode(imports=("pycsp.greenlets", f"{__name__}.in_pycsp"), extra="csp")
def csp_greenlets(work: Work) -> Result:
    """Processes of pycsp that are greenlets: one thread, and channels in its memory."""
    import pycsp.greenlets as kit

    from .in_pycsp import run

    return run(work, kit)


@WORKLOAD.mode(imports=("aiochan", f"{__name__}.in_aiochan"), extra="csp")
def csp_aio(work: Work) -> Result:
    """Tasks of an event loop, with the channels of aiochan."""
    from .in_aiochan import run

    return asyncio.run(run(work))


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """The twin: threads, with a queue for each channel."""
    from .in_threads import run

    return run(work)


@WORKLOAD.mode(imports=("pycsp.parallel", f"{__name__}.in_processes"), extra="csp")
def processes(work: Work) -> Result:
    """Processes of pycsp that are processes of the operating system too."""
    from .._csp import parallel
    from .in_processes import run

    with parallel() as kit:
        return run(work, kit)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Work on every number without a network."""
    return adding_up(in_order(number) for number in numbers(work))
