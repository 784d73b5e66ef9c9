"""The variants for a single thread: a queue without anybody at the other end."""

import queue
import time
from collections import deque
from typing import Any

from concurtrace.workload import Result, Work

from .shared import Handled, Published, handle_s, index_of, limit, publish_s, ticket, told


def exchange(work: Work) -> Result:
    """Put in what the queue takes, take out what is in it, and begin again."""
    post = make_queue(work)
    todo = deque(range(work.size))
    taken: list[int] = []
    found_full = longest = rounds = 0
    while todo:
        rounds += 1
        found_full += fill(work, post, todo)
        longest = max(longest, post.qsize())
        taken += empty(work, post)
    # The items of several publishers are, here, in the order of their numbers.
    return told(work, [Published(found_full, longest)], [Handled(taken, rounds)])


def make_queue(work: Work) -> "queue.Queue[Any]":
    """Make the queue of the variant."""
    if work.variant == "lifo":
        return queue.LifoQueue()
    return queue.PriorityQueue() if work.variant == "priority" else queue.Queue(limit(work))


def fill(work: Work, post: "queue.Queue[Any]", todo: "deque[int]") -> bool:
    """Put items in until there are none, or no place; tell whether there was no place."""
    while todo:
        try:
            post.put_nowait(ticket(work, todo[0]))
        except queue.Full:
            return True
        time.sleep(publish_s(work))
        todo.popleft()
    return False


def empty(work: Work, post: "queue.Queue[Any]") -> list[int]:
    """Take items out and handle them until there are none."""
    taken: list[int] = []
    while True:
        try:
            taken.append(index_of(work, post.get_nowait()))
        except queue.Empty:
            return taken
        time.sleep(handle_s(work))
        post.task_done()
