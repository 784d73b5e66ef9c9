"""A directory that knows the address of every name, and takes its time to find it.

Started by ``_service.running``, which see. Whoever connects and sends a name gets its address.
"""

import asyncio
import json
import sys

from concurtrace.workload import Work

from .names import HOST, address

BACKLOG = 1024
"""Connections that may wait to be accepted: greenlets all start at once."""


class Directory:
    """Answers whoever asks."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question."""
        name = (await reader.readline()).decode().strip()
        await asyncio.sleep(self.work.number("latency-ms") / 1000)
        writer.write(address(self.work.seed, name).encode() + b"\n")
        writer.close()
        await writer.wait_closed()


async def serve(work: Work) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    server = await asyncio.start_server(Directory(work).answer, HOST, 0, backlog=BACKLOG)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    await ended.read()


if __name__ == "__main__":
    asyncio.run(serve(Work(json.loads(sys.stdin.readline()))))
