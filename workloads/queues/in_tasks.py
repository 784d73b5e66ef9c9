"""The variants for tasks of one event loop: what has to be waited for is awaited."""

import asyncio
from typing import Any

from concurtrace.workload import Result, Work

from .blocking import END
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

Post = asyncio.Queue[Any]


async def exchange(work: Work) -> Result:
    """Let publishers and subscribers work, at the same time or one group after the other."""
    post = make_queue(work)
    if work.fault == "empty-then-get":
        return await drain_wrongly(work, post)
    publishing = [publish(work, number, post) for number in range(work.number("publishers"))]
    if work.variant in FILLED_FIRST:
        published = await asyncio.gather(*publishing)
        subscribing = [drain(work, post) for _ in range(work.number("subscribers"))]
        return told(work, published, await asyncio.gather(*subscribing))
    subscribing = [subscribe(work, post) for _ in range(work.number("subscribers"))]
    async with asyncio.TaskGroup() as group:
        publishers = [group.create_task(one) for one in publishing]
        subscribers = [group.create_task(one) for one in subscribing]
    return told(work, [one.result() for one in publishers], [one.result() for one in subscribers])


def make_queue(work: Work) -> Post:
    """Make the queue of the variant."""
    if work.variant == "lifo":
        return asyncio.LifoQueue()
    return asyncio.PriorityQueue() if work.variant == "priority" else asyncio.Queue(limit(work))


async def publish(work: Work, number: int, post: Post) -> Published:
    """Put items in, and say when there are no more: what a publisher does."""
    found_full = longest = 0
    for index in share(work, number):
        await asyncio.sleep(publish_s(work))
        found_full += post.full()
        await post.put(ticket(work, index))
        longest = max(longest, post.qsize())
    if work.variant == "join":
        await post.join()
    if work.variant not in FILLED_FIRST:
        for _ in range(work.number("subscribers")):
            await post.put(END)
    return Published(found_full, longest)


async def subscribe(work: Work, post: Post) -> Handled:
    """Take items out and handle them until all publishers are done: what a subscriber does."""
    indexes: list[int] = []
    ends = found_empty = 0
    while ends < work.number("publishers"):
        try:
            async with asyncio.timeout(POLL_S if work.variant == "empty" else None):
                taken = await post.get()
        except TimeoutError:
            found_empty += 1
            continue
        if taken == END:
            ends += 1
        else:
            indexes.append(index_of(work, taken))
            await asyncio.sleep(handle_s(work))
        if work.fault != "no-task-done":
            post.task_done()
    return Handled(indexes, found_empty)


async def drain(work: Work, post: Post) -> Handled:
    """Take items out and handle them until there are none: what a subscriber does."""
    indexes: list[int] = []
    # No await between looking and taking, so nobody can come between.
    while not post.empty():
        indexes.append(index_of(work, post.get_nowait()))
        await asyncio.sleep(handle_s(work))
    return Handled(indexes, 1)


async def drain_wrongly(work: Work, post: Post) -> Result:
    """Look, and then take: for the last item, all see it and only one gets it."""
    subscribers = max(2, work.number("subscribers"))
    # One more than can be shared out evenly, so that all are there to see the last.
    for index in range(work.size - work.size % subscribers + 1):
        post.put_nowait(ticket(work, index))
    meeting = asyncio.Barrier(subscribers)
    jobs = [look_then_take(work, post, meeting) for _ in range(subscribers)]
    return told(work, [], await asyncio.gather(*jobs))


async def look_then_take(work: Work, post: Post, meeting: asyncio.Barrier) -> Handled:
    """Take items out in two steps: what a subscriber of the fault does."""
    indexes: list[int] = []
    while not post.empty():
        # All look before the first takes: this makes the fault certain, not possible.
        await meeting.wait()
        indexes.append(index_of(work, await post.get()))
        await meeting.wait()
    return Handled(indexes, 1)
