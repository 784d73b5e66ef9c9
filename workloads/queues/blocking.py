"""The variants for workers that block: threads, processes and greenlets alike."""

import queue
import time
from typing import Any

from concurtrace.workload import Result, Work

from .._models import Job, Model
from .shared import (
    FILLED_FIRST,
    POLL_S,
    Handled,
    Published,
    handle_s,
    index_of,
    limit,
    publish_s,
    share,
    ticket,
    told,
)

END = "end"
"""What a publisher puts in for each subscriber when it has no more.

A subscriber goes when it has taken one for each publisher. Whoever took them, there are as many as
are needed, and the last of them comes after the last item.
"""


def exchange(work: Work, model: Model) -> Result:
    """Let publishers and subscribers work, at the same time or one group after the other."""
    post = make_queue(work, model)
    publishers, subscribers = work.number("publishers"), work.number("subscribers")
    if work.fault == "empty-then-get":
        return drain_wrongly(work, model, post)
    publishing: list[Job] = [(publish, (work, number, post)) for number in range(publishers)]
    if work.variant in FILLED_FIRST:
        published = model.run(publishing, "publisher")
        draining: list[Job] = [(drain, (work, post)) for _ in range(subscribers)]
        return told(work, published, model.run(draining, "subscriber"))
    subscribing: list[Job] = [(subscribe, (work, post)) for _ in range(subscribers)]
    reports = model.run([*publishing, *subscribing], "party")
    return told(work, reports[:publishers], reports[publishers:])


def make_queue(work: Work, model: Model) -> Any:
    """Make the queue of the variant."""
    if work.variant == "lifo":
        return queue.LifoQueue()
    if work.variant == "priority":
        return queue.PriorityQueue()
    return model.queue(limit(work))


def publish(work: Work, number: int, post: Any) -> Published:
    """Put items in, and say when there are no more: what a publisher does."""
    found_full = longest = 0
    for index in share(work, number):
        time.sleep(publish_s(work))
        try:
            post.put_nowait(ticket(work, index))
        except queue.Full:
            found_full += 1
            post.put(ticket(work, index))
        longest = max(longest, post.qsize())
    if work.variant == "join":
        post.join()
    if work.variant not in FILLED_FIRST:
        for _ in range(work.number("subscribers")):
            post.put(END)
    return Published(found_full, longest)


def subscribe(work: Work, post: Any) -> Handled:
    """Take items out and handle them until all publishers are done: what a subscriber does."""
    indexes: list[int] = []
    ends = found_empty = 0
    while ends < work.number("publishers"):
        try:
            taken = post.get(timeout=POLL_S if work.variant == "empty" else None)
        except queue.Empty:
            found_empty += 1
            continue
        if taken == END:
            ends += 1
        else:
            indexes.append(index_of(work, taken))
            time.sleep(handle_s(work))
        if work.fault != "no-task-done":
            post.task_done()
    return Handled(indexes, found_empty)


def drain(work: Work, post: Any) -> Handled:
    """Take items out and handle them until there are none: what a subscriber does."""
    indexes: list[int] = []
    while True:
        try:
            # One step: there is no time between looking and taking.
            taken = post.get_nowait()
        except queue.Empty:
            return Handled(indexes, 1)
        indexes.append(index_of(work, taken))
        time.sleep(handle_s(work))


def drain_wrongly(work: Work, model: Model, post: Any) -> Result:
    """Look, and then take: for the last item, all see it and only one gets it."""
    subscribers = max(2, work.number("subscribers"))
    # One more than can be shared out evenly, so that all are there to see the last.
    for index in range(work.size - work.size % subscribers + 1):
        post.put(ticket(work, index))
    meeting = model.primitives.Barrier(subscribers)
    jobs = [(look_then_take, (work, post, meeting)) for _ in range(subscribers)]
    return told(work, [], model.run(jobs, "subscriber"))


def look_then_take(work: Work, post: Any, meeting: Any) -> Handled:
    """Take items out in two steps: what a subscriber of the fault does."""
    indexes: list[int] = []
    while not post.empty():
        # All look before the first takes: this makes the fault certain, not possible.
        meeting.wait()
        indexes.append(index_of(work, post.get()))
        meeting.wait()
    return Handled(indexes, 1)
