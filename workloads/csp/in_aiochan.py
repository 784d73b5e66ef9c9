"""The networks as tasks of one event loop, with the channels of aiochan."""

import asyncio
from typing import Any

from aiochan import Chan

from concurtrace.workload import Result, Work

from .network import Step, last_step, numbers, steps_beside, told


async def run(work: Work) -> Result:
    """Run a network, and close each channel when those who write to it are done."""
    async with asyncio.TaskGroup() as group:
        channel = Chan()
        group.create_task(send(work, channel), name="sender")
        for number, stage in enumerate(steps_beside(work), 1):
            following = Chan()
            row = [pass_on(step, channel, following) for step in stage]
            group.create_task(close_after(row, following), name=f"stage-{number}")
            channel = following
        adding = group.create_task(add_up(last_step(work), channel), name="adder")
    return told(*adding.result())


async def send(work: Work, put: Any) -> None:
    """Send the numbers, and close the channel."""
    for number in numbers(work):
        await put.put(number)
    if work.fault != "no-retire":
        put.close()


async def close_after(row: list[Any], put: Any) -> None:
    """Close a channel when all who write to it have ended."""
    await asyncio.gather(*row)
    put.close()


async def pass_on(step: Step, take: Any, put: Any) -> None:
    """Take a step with every number that comes, until the channel is closed."""
    async for number in take:
        await put.put(step(number))


async def add_up(step: Step, take: Any) -> tuple[int, int]:
    """Add up what comes, until the channel is closed."""
    total = count = 0
    async for number in take:
        total += step(number)
        count += 1
    return total, count
