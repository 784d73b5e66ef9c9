"""Greenlets: threads that the program switches by itself, where one of them waits.

Names are looked up in a directory, which takes some time for each, while something is computed. A
greenlet costs a few microseconds and kilobytes, so there can be one for each name (`spawn`, or a
`class` of one's own; a `pool` has a limit). All of them run in one thread: gevent switches to
another when one waits, and makes the functions of the standard library, which would block, do so
(monkey patching). Nothing takes the thread away from a greenlet that does not wait.

What to look for in the report: in `gevent` one thread for all lookups, which mostly waits for any
of them, in as much time as the `threads` that are needed otherwise, one for each; switches, and
memory, beside that. `most-under-way` says how many lookups overlapped. The faults:
`no-monkey-patch` talks through plain sockets, which block the thread, and so every greenlet: one
lookup after the other. `cpu-greenlet` computes without a pause: `answered-while-computing` is zero.
"""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from concurtrace.workload import (
    Fault,
    FaultOutcome,
    Parameter,
    Result,
    Variant,
    Work,
    Workload,
)

from .._models import GEVENT
from .names import ROUNDS_PER_NAME, address, hash_on, names, start

if TYPE_CHECKING:
    from .lookups import Job

WORKLOAD = Workload(
    lessons=("A1", "A8", "A40"),
    default_mode="gevent",
    parameters=(
        Parameter("size", 150, "names to look up", 1, 900, presets={"tiny": 6, "large": 600}),
        Parameter(
            "latency-ms",
            10,
            "how long the directory takes for each",
            0,
            10_000,
            presets={"tiny": 1},
        ),
        Parameter("workers", 20, "lookups at once in a pool", 1, 256, presets={"tiny": 2}),
    ),
    variants=(
        Variant("spawn", "one for each name, by a function"),
        Variant("class", "one for each name, by a class of one's own"),
        Variant("pool", "no more than `workers` at a time"),
    ),
    faults=(
        Fault(
            "no-monkey-patch",
            "sockets that block the thread, and with it every greenlet",
            FaultOutcome.COST,
            modes=("gevent",),
        ),
        Fault(
            "cpu-greenlet",
            "a greenlet computes and never lets the others have a turn",
            FaultOutcome.COST,
            modes=("gevent",),
        ),
    ),
    expects={"sequential": ("unoverlapped-io",), "threads": ("thread-churn",)},
)


@WORKLOAD.service
def directory(work: Work) -> Iterator[Mapping[str, str]]:
    """Answer lookups in a process of its own."""
    from .._service import running

    with running(f"{__name__}._directory", work.parameters) as port:
        yield {"directory": port}


@WORKLOAD.mode(imports=("gevent.pool", f"{__name__}.in_greenlets"), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """A greenlet for each lookup, and one that computes and lets the others have their turns."""
    from .in_greenlets import look_up_all

    return look_up_all(work)


@WORKLOAD.mode(imports=("concurrent.futures.thread", f"{__name__}.lookups"))
def threads(work: Work) -> Result:
    """A thread for each lookup, and one that computes."""
    from .lookups import Job, exhaust

    job = Job(work)
    computing = threading.Thread(target=exhaust, args=(job.compute(),), name="computing")
    computing.start()
    if work.variant == "pool":
        with ThreadPoolExecutor(work.workers, "lookup") as crew:
            list(crew.map(job.look_up, job.names()))
    else:
        _start_and_join(job, work.variant)
    computing.join()
    return job.result()


def _start_and_join(job: "Job", variant: str) -> None:
    crew = [
        LookUp(job, name)
        if variant == "class"
        else threading.Thread(target=job.look_up, args=(name,), name=f"lookup-{name}")
        for name in job.names()
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()


class LookUp(threading.Thread):
    """A thread that looks up one name."""

    def __init__(self, job: "Job", wanted: str) -> None:
        super().__init__(name=f"lookup-{wanted}")
        self.job = job
        self.wanted = wanted

    def run(self) -> None:
        """Look it up; called in the new thread."""
        self.job.look_up(self.wanted)


@WORKLOAD.mode(imports=(f"{__name__}.lookups",))
def sequential(work: Work) -> Result:
    """One lookup after the other, and the computation in the end."""
    from .lookups import Job, exhaust

    job = Job(work)
    for name in job.names():
        job.look_up(name)
    exhaust(job.compute())
    return job.result()


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Take the addresses from the directory's book, and compute without a pause."""
    book = [(name, address(work.seed, name)) for name in names(work)]
    digest = hash_on(start(work), ROUNDS_PER_NAME * work.size)
    return Result([*book, ("digest", digest.hex())])
