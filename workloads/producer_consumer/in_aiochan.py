"""Producers and consumers that are tasks of one event loop, with a channel of CSP between them."""

import asyncio
from typing import Any

from aiochan import Chan

from concurtrace.workload import Result, Work

from .shared import Used, consume_s, limit, produce_s, product, says_when_done, share, told


async def trade(work: Work) -> Result:
    """Let producers work, close the channel when they are done, and wait for the consumers."""
    line = Chan(limit(work))
    async with asyncio.TaskGroup() as group:
        consuming = [
            group.create_task(consume(work, line)) for _ in range(work.number("consumers"))
        ]
        producing = [produce(work, number, line) for number in range(work.number("producers"))]
        await asyncio.gather(*producing)
        if says_when_done(work):
            line.close()
    return told([one.result() for one in consuming])


async def produce(work: Work, number: int, line: Any) -> None:
    """Make products and pass them on: what a producer does."""
    for index in share(work, number):
        await asyncio.sleep(produce_s(work))
        await line.put((index, product(work.seed, index)))


async def consume(work: Work, line: Any) -> Used:
    """Use products until the channel is closed and empty: what a consumer does."""
    used: Used = []
    async for one in line:
        await asyncio.sleep(consume_s(work))
        used.append(one)
    return used
