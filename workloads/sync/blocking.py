"""The variants for workers that block: threads, processes and greenlets alike."""

import time
from collections.abc import Callable, MutableSequence
from typing import Any

from concurtrace.workload import Record, Result, Work

from .._models import Job, Model
from .shared import PATIENCE_S, PERMITS, PHASES, item_s, phase_share, share, token

Numbers = MutableSequence[int]
"""Numbers that all workers see."""


def synchronise(work: Work, model: Model) -> Result:
    """Do the work in the way of the variant."""
    return _VARIANTS[work.variant](work, model)


def wait_for_end(work: Work, model: Model) -> Result:
    """Join: each worker has its own part, and the results are there when all have ended."""
    jobs = [(compute, (work, share(work, part))) for part in range(work.workers)]
    return together(model.run(jobs, "worker"))


def compute(work: Work, indexes: range) -> list[Record]:
    """Work on some items."""
    records: list[Record] = []
    for index in indexes:
        time.sleep(item_s(work))
        records.append((index, token(work.seed, index)))
    return records


def together(parts: list[list[Record]]) -> Result:
    """Put what the workers returned together."""
    return Result([record for part in parts for record in part])


def exclude_each_other(work: Work, model: Model) -> Result:
    """Lock: what one reads and writes, nobody else may touch in between."""
    lock, total = model.primitives.Lock(), model.numbers(1)
    model.run([(add, (work, part, lock, total)) for part in range(work.workers)], "adder")
    return Result([("total", total[0])])


def add(work: Work, part: int, lock: Any, total: Numbers) -> None:
    """Add a worker's numbers to the sum, and take some time in the middle of it."""
    for index in share(work, part):
        with lock:
            before = total[0]
            time.sleep(item_s(work))
            total[0] = before + token(work.seed, index)


class Accounts:
    """Two sums under one lock, and methods that call each other while they hold it."""

    def __init__(self, lock: Any, sums: Numbers) -> None:
        self.lock = lock
        self.sums = sums

    def change_a(self, number: int) -> None:
        """Add to the first."""
        with self.lock:
            self.sums[0] += number

    def change_b(self, number: int) -> None:
        """Add to the second."""
        with self.lock:
            self.sums[1] += number

    def change_both(self, number: int, seconds: float) -> None:
        """Add to both, so that nobody ever sees them differ."""
        with self.lock:
            self.change_a(number)
            time.sleep(seconds)
            self.change_b(number)


def reenter(work: Work, model: Model) -> Result:
    """RLock: the one who holds it may take it again."""
    reentrant = work.fault != "lock-reentry"
    lock = model.primitives.RLock() if reentrant else model.primitives.Lock()
    accounts = Accounts(lock, model.numbers(2))
    model.run([(change, (work, part, accounts)) for part in range(work.workers)], "clerk")
    return Result([("a", accounts.sums[0]), ("b", accounts.sums[1])])


def change(work: Work, part: int, accounts: Accounts) -> None:
    """Put a worker's numbers into the accounts."""
    for index in share(work, part):
        accounts.change_both(token(work.seed, index), item_s(work))


def sell_tickets(work: Work, model: Model) -> Result:
    """Semaphore of one: a ticket seller at a time takes the uppermost ticket."""
    wrong = work.fault == "two-permits"
    counter = model.primitives.Semaphore(2 if wrong else 1)
    # Two that are at the counter at the same time: this makes the fault certain, not possible.
    meeting = model.primitives.Barrier(2) if wrong else None
    tickets = model.numbers(1)
    tickets[0] = work.size
    jobs = [
        (sell, (work, counter, tickets, meeting if part < 2 else None))
        for part in range(work.workers)
    ]
    sold = model.run(jobs, "seller")
    return Result(
        [("ticket", ticket) for part in sold for ticket in part],
        {f"sold-by-{part}": len(some) for part, some in enumerate(sold, 1)},
    )


def sell(work: Work, counter: Any, tickets: Numbers, meeting: Any) -> list[int]:
    """Sell tickets until there are none; return their numbers."""
    sold: list[int] = []
    while True:
        with counter:
            left = tickets[0]
            if meeting is not None:
                meeting.wait()
                meeting = None
            if not left:
                return sold
            time.sleep(item_s(work))
            tickets[0] = left - 1
        sold.append(left)


def let_in_a_few(work: Work, model: Model) -> Result:
    """Bounded semaphore: so many at the same time, and an error where one leaves twice."""
    door, lock = model.primitives.BoundedSemaphore(PERMITS), model.primitives.Lock()
    inside = model.numbers(2)
    jobs = [(visit, (work, part, door, (lock, inside))) for part in range(work.workers)]
    result = together(model.run(jobs, "guest"))
    if work.fault == "over-release":
        door.release()
    return Result([*result.records, ("limit kept", int(inside[1] <= PERMITS))])


def visit(work: Work, part: int, door: Any, book: tuple[Any, Numbers]) -> list[Record]:
    """Work on a worker's items behind the door, and keep book of how many are inside."""
    lock, inside = book
    records: list[Record] = []
    for index in share(work, part):
        with door:
            with lock:
                inside[0] += 1
                inside[1] = max(inside[1], inside[0])
            time.sleep(item_s(work))
            records.append((index, token(work.seed, index)))
            with lock:
                inside[0] -= 1
    return records


class Shelf:
    """A place for one item, and two conditions under one lock: that it is full, or free."""

    def __init__(self, model: Model) -> None:
        lock = model.primitives.Lock()
        self.full = model.primitives.Condition(lock)
        self.free = model.primitives.Condition(lock)
        self.notified = model.primitives.Event()
        # The item, or EMPTY, or CLOSED.
        self.place = model.numbers(1)
        self.place[0] = EMPTY


EMPTY, CLOSED = -1, -2


def hand_over(work: Work, model: Model) -> Result:
    """Condition: wait until there is what one needs, and tell others when it is there."""
    shelf = Shelf(model)
    jobs: list[Job] = [(publish, (work, shelf))]
    jobs += [(subscribe, (work, shelf)) for _ in range(max(1, work.workers - 1))]
    return together(model.run(jobs, "party"))


def publish(work: Work, shelf: Shelf) -> list[Record]:
    """Put every item on the shelf, then close it."""
    for item in [*range(work.size), CLOSED]:
        time.sleep(item_s(work))
        with shelf.free:
            while shelf.place[0] != EMPTY:
                shelf.free.wait()
            shelf.place[0] = item
            # Whoever finds it closed has to go; of the others, one is enough.
            shelf.full.notify(1 if item != CLOSED else work.workers)
        shelf.notified.set()
    return []


def subscribe(work: Work, shelf: Shelf) -> list[Record]:
    """Take items from the shelf until it is closed."""
    records: list[Record] = []
    while True:
        with shelf.full:
            if work.fault == "lost-notify":
                wait_without_looking(shelf)
            while shelf.place[0] == EMPTY:
                shelf.full.wait()
            item = shelf.place[0]
            if item == CLOSED:
                return records
            shelf.place[0] = EMPTY
            shelf.free.notify()
        records.append((item, token(work.seed, item)))


def wait_without_looking(shelf: Shelf) -> None:
    """Wait for a notification that came already, and will not come again."""
    while not shelf.notified.is_set():
        shelf.full.wait(0.001)
    shelf.full.wait()


def begin_together(work: Work, model: Model) -> Result:
    """Event: all wait until one says that it has happened."""
    start = model.primitives.Event()
    jobs: list[Job] = [(prepare, (work, start))]
    jobs += [(run_when_ready, (work, share(work, part), start)) for part in range(work.workers)]
    return together(model.run(jobs, "runner"))


def prepare(work: Work, start: Any) -> list[Record]:
    """Take as long as the work will take, then let it begin."""
    time.sleep(item_s(work) * work.size / work.workers)
    start.set()
    return []


def run_when_ready(work: Work, indexes: range, start: Any) -> list[Record]:
    """Wait for the event, then work on some items."""
    if work.fault == "poll":
        while not start.is_set():
            time.sleep(0)
    start.wait()
    return compute(work, indexes)


def keep_in_step(work: Work, model: Model) -> Result:
    """Barrier: each phase adds a sum up, and is over when all have done their part."""
    missing = work.fault == "missing-party"
    barrier = model.primitives.Barrier(work.workers + missing)
    sums = model.numbers(PHASES * work.workers)
    jobs = [(march, (work, part, barrier, sums)) for part in range(work.workers)]
    seen = together(model.run(jobs, "party"))
    # All saw the same sums if all were done before any went on.
    return Result(list(set(seen.records)))


def march(work: Work, part: int, barrier: Any, sums: Numbers) -> list[Record]:
    """Go through the phases; each worker is a little slower than the one before."""
    records: list[Record] = []
    patience = PATIENCE_S if work.fault == "missing-party" else None
    for phase in range(PHASES):
        places = range(phase * work.workers, (phase + 1) * work.workers)
        indexes = phase_share(work, part, phase)
        time.sleep(item_s(work) * len(indexes) * (1 + part))
        sums[places[part]] = sum(token(work.seed, index) for index in indexes)
        barrier.wait(patience)
        records.append((phase, sum(sums[place] for place in places)))
    return records


_VARIANTS: dict[str, Callable[[Work, Model], Result]] = {
    "join": wait_for_end,
    "lock": exclude_each_other,
    "rlock": reenter,
    "semaphore": sell_tickets,
    "bounded": let_in_a_few,
    "condition": hand_over,
    "event": begin_together,
    "barrier": keep_in_step,
}
