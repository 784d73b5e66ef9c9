"""What is between producers and consumers: four ways to pass a product on and to say the end."""

import multiprocessing
import threading
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from concurtrace.workload import Work

from .._models import Model
from .shared import limit

Product = tuple[int, int]
"""An index and what was made for it."""


class Transport(Protocol):
    """What producers and consumers need."""

    def put(self, one: Product) -> None:
        """Pass a product on, once there is a place for it."""

    def close(self) -> None:
        """Say that this producer will make no more."""

    def take(self) -> Iterator[Product]:
        """Take products, as they come, until all producers have closed."""


class QueueLine:
    """A queue, and for the end a sentinel from each producer to each consumer.

    A consumer goes when it has taken one for each producer. Whoever took them, there are as many
    as are needed, and the last of them comes after the last product.
    """

    def __init__(self, work: Work, model: Model) -> None:
        self.producers = work.number("producers")
        self.consumers = work.number("consumers")
        self.queue = model.queue(limit(work))

    def put(self, one: Product) -> None:
        """Pass a product on, once there is a place for it."""
        self.queue.put(one)

    def close(self) -> None:
        """Say that this producer will make no more."""
        for _ in range(self.consumers):
            self.queue.put(None)

    def take(self) -> Iterator[Product]:
        """Take products, as they come, until all producers have closed."""
        open_producers = self.producers
        while open_producers:
            one = self.queue.get()
            if one is None:
                open_producers -= 1
            else:
                yield one


class PipeLine:
    """A pipe, which takes as much as fits into it, and a lock for those at either end."""

    def __init__(self, work: Work, model: Model) -> None:
        self.producers = work.number("producers")
        self.consumers = work.number("consumers")
        self.reader, self.writer = multiprocessing.Pipe(duplex=False)
        self.reading, self.writing = model.primitives.Lock(), model.primitives.Lock()

    def put(self, one: Product | None) -> None:
        """Pass a product on, once there is a place for it."""
        with self.writing:
            self.writer.send(one)

    def close(self) -> None:
        """Say that this producer will make no more."""
        for _ in range(self.consumers):
            self.put(None)

    def take(self) -> Iterator[Product]:
        """Take products, as they come, until all producers have closed."""
        open_producers = self.producers
        while open_producers:
            with self.reading:
                one = self.reader.recv()
            if one is None:
                open_producers -= 1
            else:
                yield one


class Shelf:
    """A list of limited length, and two conditions on one lock: not empty, and not full."""

    def __init__(self, work: Work, model: Model) -> None:
        self.limit = limit(work)
        self.products: deque[Product] = deque()
        self.open_producers = work.number("producers")
        lock = threading.Lock()
        self.not_empty = threading.Condition(lock)
        self.not_full = threading.Condition(lock)

    def put(self, one: Product) -> None:
        """Pass a product on, once there is a place for it."""
        with self.not_full:
            self.not_full.wait_for(lambda: len(self.products) < self.limit)
            self.products.append(one)
            self.not_empty.notify()

    def close(self) -> None:
        """Say that this producer will make no more."""
        with self.not_empty:
            self.open_producers -= 1
            self.not_empty.notify_all()

    def take(self) -> Iterator[Product]:
        """Take products, as they come, until all producers have closed."""
        while True:
            with self.not_empty:
                self.not_empty.wait_for(lambda: self.products or not self.open_producers)
                if not self.products:
                    return
                one = self.products.popleft()
                self.not_full.notify()
            yield one


class Basket:
    """A list, and an event that says that something is in it, or that there will be no more."""

    def __init__(self, work: Work, model: Model) -> None:
        self.loses = work.fault == "event-clear"
        self.products: list[Product] = []
        self.open_producers = work.number("producers")
        self.lock = threading.Lock()
        self.filled = threading.Event()
        self.two_are_in = threading.Event()

    def put(self, one: Product) -> None:
        """Put a product in, and say so."""
        with self.lock:
            self.products.append(one)
            self.filled.set()
            if len(self.products) == 2:
                self.two_are_in.set()

    def close(self) -> None:
        """Say that this producer will make no more."""
        with self.lock:
            self.open_producers -= 1
            if not self.open_producers:
                self.filled.set()

    def take(self) -> Iterator[Product]:
        """Take products, as they come, until all producers have closed."""
        return self.take_one_then_clear() if self.loses else self.clear_then_take_all()

    def clear_then_take_all(self) -> Iterator[Product]:
        """Clear first: what comes from now on sets the event again."""
        ended = False
        while not ended:
            self.filled.wait()
            self.filled.clear()
            with self.lock:
                taken, self.products = self.products, []
                ended = not self.open_producers
                if ended:
                    # The others have to get to know it too.
                    self.filled.set()
            yield from taken

    def take_one_then_clear(self) -> Iterator[Product]:
        """Clear last: what came meanwhile has set an event that was set, and is forgotten."""
        # Two products and one event: this makes the first loss certain, not possible.
        self.two_are_in.wait()
        while self.open_producers:
            self.filled.wait()
            if self.open_producers:
                yield self.products.pop(0)
                self.filled.clear()
