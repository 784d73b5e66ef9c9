"""The clients, in a process of their own, so that what they cost is not the server's.

Started by ``_service.running``, which see. Whoever connects and sends the number of a port gets
their visit there, and, when the last of them is done, one line of JSON: number and digest of each.
"""

import asyncio
import hashlib
import json
import sys

from concurtrace.workload import Work

from .messages import HOST, messages


async def visit(work: Work, client: int, port: int) -> tuple[int, str]:
    """Think and send a message, and again when it is back; return the digest of all that came."""
    received = hashlib.sha256()
    reader, writer = await asyncio.open_connection(HOST, port)
    for message in messages(work, client):
        await asyncio.sleep(work.number("think-ms") / 1000)
        writer.write(message)
        received.update(await reader.readexactly(len(message)))
    writer.close()
    await writer.wait_closed()
    return client, received.hexdigest()


class Crowd:
    """The clients of one run after the other."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let all clients visit a server at once, and tell what they got."""
        port = int(await reader.readline())
        visits = (visit(self.work, client, port) for client in range(self.work.size))
        writer.write(json.dumps(await asyncio.gather(*visits)).encode() + b"\n")
        writer.close()


async def wait(work: Work) -> None:
    """Wait for servers until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    server = await asyncio.start_server(Crowd(work).come, HOST, 0)
    host, port = server.sockets[0].getsockname()
    print(json.dumps(f"{host}:{port}"), flush=True)
    await ended.read()


if __name__ == "__main__":
    asyncio.run(wait(Work(json.loads(sys.stdin.readline()))))
