"""More small steps than a loop can do, and as many as it does with ease."""

import asyncio
import sys
import time

WITH = "states,tasks"


async def ask(until: float, pause: float) -> None:
    while time.monotonic() < until:
        sum(range(2_000))
        await asyncio.sleep(pause)


async def main(clients: int, pause: float) -> None:
    until = time.monotonic() + 0.8
    await asyncio.gather(*(ask(until, pause) for _ in range(clients)))


def trigger() -> None:
    asyncio.run(main(300, 0.001))


def healthy() -> None:
    asyncio.run(main(5, 0.02))


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
