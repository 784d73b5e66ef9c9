"""Shared state: the ways in which processes work on the same numbers, and what each costs.

Each worker computes on its part of a big array, and adds what came out to a common sum. Processes
have no memory in common unless they ask for it: `copy` sends each worker its part and takes it
back, `queue` does so in blocks, `manager` keeps the parts in a process of their own, `array` is
memory that is shared and has a lock, which is taken for each block, `shared-memory` is memory that
is shared and nothing else. Threads need none of that, for they see the same array.

What to look for in the report: `copy` and `queue` pickle and copy all numbers twice, `manager` four
times, the other two none; with `array`, how long the workers wait for its lock, which they hold
while they compute.

The faults: `plain-list` lets each process append to a list, which is its own list: the parent's
stays empty. `no-lock` adds to the common sum without holding the lock. `leak` does not remove the
shared memory; it would stay when the program has ended, if Python's resource tracker did not look
for what was left behind, and complain.
"""

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

_ON_PROCESSES = ("processes",)

WORKLOAD = Workload(
    lessons=("A2", "B17", "B21"),
    default_mode="processes",
    parameters=(
        Parameter(
            "size",
            4_000_000,
            "numbers in the array",
            1000,
            1_000_000_000,
            presets={"tiny": 20_000, "large": 20_000_000},
        ),
        Parameter("workers", 4, "how many share them", 2, 256, presets={"tiny": 2}),
        Parameter(
            "rounds", 400, "how often each number is worked on", 1, 100_000, presets={"tiny": 2}
        ),
        Parameter(
            "blocks",
            25,
            "in how many steps a worker goes through its part",
            1,
            1000,
            presets={"tiny": 3},
        ),
        START_METHOD,
    ),
    variants=(
        Variant("shared-memory", "memory that is shared, and nothing else"),
        Variant("array", "memory that is shared, and a lock for it"),
        Variant("copy", "each worker is sent its part, and sends it back"),
        Variant("queue", "parts go to the workers, and back, in blocks"),
        Variant("manager", "parts are kept by a process of their own", modes=_ON_PROCESSES),
    ),
    faults=(
        Fault(
            "plain-list",
            "each process has a list of its own",
            FaultOutcome.WRONG_RESULT,
            modes=_ON_PROCESSES,
            variant="copy",
        ),
        Fault(
            "no-lock",
            "the common sum is changed without the lock",
            FaultOutcome.WRONG_RESULT,
            variant="array",
        ),
        Fault(
            "leak",
            "the shared memory is not removed",
            FaultOutcome.COST,
            modes=_ON_PROCESSES,
            variant="shared-memory",
        ),
    ),
    expects={
        "processes/array": ("lock-contention",),
        "processes/copy": ("ipc-overhead",),
        "processes/queue": ("ipc-overhead",),
        "processes/manager": ("ipc-overhead",),
    },
)


# NumPy is imported with the mode: a list of workloads, or another workload, has no use for it.


@WORKLOAD.mode(imports=("numpy", f"{__name__}.in_processes"))
def processes(work: Work) -> Result:
    """Processes, which have to ask for memory in common."""
    from .in_processes import share

    return share(work)


@WORKLOAD.mode(imports=("numpy", f"{__name__}.in_threads"))
def threads(work: Work) -> Result:
    """Threads, which have all memory in common."""
    from .in_threads import share

    return share(work)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Work on the whole array at once, many rounds in one."""
    from .numbers import leap

    return leap(work)
