"""Tasks gathered together of which one takes far longer, and tasks that end together."""

import asyncio
import sys

WITH = "states,tasks"


async def part(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def main(slowest: float) -> None:
    await asyncio.gather(*(part(0.1) for _ in range(9)), part(slowest))


def trigger() -> None:
    asyncio.run(main(0.9))


def healthy() -> None:
    asyncio.run(main(0.12))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
