"""Producers and consumers that are tasks of one event loop."""

import asyncio

from concurtrace.workload import Result, Work

from .shared import Used, consume_s, limit, produce_s, product, says_when_done, share, told

Line = asyncio.Queue[tuple[int, int] | None]


async def trade(work: Work) -> Result:
    """Let producers work, tell the consumers when they are done, and wait for these."""
    line: Line = asyncio.Queue(limit(work))
    consumers = work.number("consumers")
    async with asyncio.TaskGroup() as group:
        consuming = [group.create_task(consume(work, line)) for _ in range(consumers)]
        producing = [produce(work, number, line) for number in range(work.number("producers"))]
        await asyncio.gather(*producing)
        if says_when_done(work):
            for _ in range(consumers):
                await line.put(None)
    return told([one.result() for one in consuming])


async def produce(work: Work, number: int, line: Line) -> None:
    """Make products and pass them on: what a producer does."""
    for index in share(work, number):
        await asyncio.sleep(produce_s(work))
        await line.put((index, product(work.seed, index)))


async def consume(work: Work, line: Line) -> Used:
    """Use products until there will be no more: what a consumer does."""
    used: Used = []
    while (one := await line.get()) is not None:
        await asyncio.sleep(consume_s(work))
        used.append(one)
    return used
