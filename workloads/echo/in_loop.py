"""An asyncio server, by callbacks and by coroutines."""

import asyncio
import time

from concurtrace.workload import Result, Work

from .._invitation import invitation
from .messages import CHUNK, HOST, LOOK_UP_S, door, result


class Hall:
    """Counts the clients that have gone, to close only when all have."""

    def __init__(self, work: Work) -> None:
        self.blocks = work.fault == "blocking-handler"
        self.expected = work.size
        self.all_gone = asyncio.Event()

    def leave(self) -> None:
        """Note that a client has gone."""
        self.expected -= 1
        if not self.expected:
            self.all_gone.set()

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send back what a client sends: a coroutine for each client."""
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        self.leave()


class Echo(asyncio.Protocol):
    """Sends back what a client sends: an object for each client, which the loop calls."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a client; with the fault, look it up somewhere first."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - that of a stream
        self.transport = transport
        if self.hall.blocks:
            time.sleep(LOOK_UP_S)

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note that the client has gone."""
        self.hall.leave()


def serve(work: Work) -> Result:
    """Run an event loop until all clients are done."""
    return asyncio.run(_serve(work))


async def _serve(work: Work) -> Result:
    hall = Hall(work)
    if work.variant == "streams":
        server = await asyncio.start_server(hall.echo, HOST, 0, backlog=work.size)
    else:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Echo(hall), HOST, 0, backlog=work.size)
    async with server:
        reader, writer = await asyncio.open_connection(*door(work))
        writer.write(invitation(server.sockets[0].getsockname()[1]))
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        await hall.all_gone.wait()
    return result(answer)
