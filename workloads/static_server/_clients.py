"""The clients, in a process of their own, so that what they cost is not the server's.

Started by ``_service.running``, which see. Whoever connects and sends the number of a port gets
all requests there, and, when the last of them is answered, one line of JSON: the records.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator

from concurtrace.workload import Work

from .files import HOST, record, wanted

Answer = tuple[str, int, bytes]


async def get(port: int, what: str) -> Answer:
    """Ask for one thing; return it, the status and the body."""
    reader, writer = await asyncio.open_connection(HOST, port)
    # HTTP/1.0: the server closes the connection when it has sent all of the answer.
    writer.write(f"GET {what} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return what, int(head.split(maxsplit=2)[1]), body


class Crowd:
    """The clients of one run after the other."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let all clients ask a server at once, and tell what they got."""
        port = int(await reader.readline())
        requests = iter([wanted(self.work, request) for request in range(self.work.size)])
        answers: Counter[Answer] = Counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.work.number("clients")):
                tasks.create_task(self.ask(port, requests, answers))
        records = [record(*answer, times) for answer, times in answers.items()]
        writer.write(json.dumps(records).encode() + b"\n")
        writer.close()

    async def ask(self, port: int, requests: Iterator[str], answers: Counter[Answer]) -> None:
        """Ask for one thing after the other, until nothing is left to ask for."""
        for what in requests:
            answers[await get(port, what)] += 1


async def wait(work: Work) -> None:
    """Wait for servers until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    server = await asyncio.start_server(Crowd(work).come, HOST, 0)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    await ended.read()


if __name__ == "__main__":
    asyncio.run(wait(Work(json.loads(sys.stdin.readline()))))
