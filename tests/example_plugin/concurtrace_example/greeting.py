"""Greet everybody: the smallest workload there is."""

import threading

from concurtrace.workload import Parameter, Record, Result, Work, Workload

WORKLOAD = Workload(
    parameters=(
        Parameter("size", 10, "people to greet", 1, 1000, presets={"tiny": 2, "large": 100}),
        Parameter("workers", 2, "threads that greet", 1, 10),
    ),
)


def greet(person: int) -> Record:
    """Greet one person."""
    return (person, f"Hello, {person}!")


@WORKLOAD.mode()
def sequential(work: Work) -> Result:
    """One after the other."""
    return Result([greet(person) for person in range(work.size)])


@WORKLOAD.mode()
def threads(work: Work) -> Result:
    """Every worker greets its share."""
    records: list[Record] = []

    def share(first: int) -> None:
        records.extend([greet(person) for person in range(first, work.size, work.workers)])

    workers = [threading.Thread(target=share, args=(first,)) for first in range(work.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return Result(records)
