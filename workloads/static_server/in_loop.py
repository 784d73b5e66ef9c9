"""An aiohttp server: a task for each connection, in one event loop."""

import asyncio
import time
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from concurtrace.workload import Result, Work

from .._invitation import invitation
from .files import HOST, SLOW, SLOW_S, door, result


@web.middleware
async def dawdle(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take some time for one page, and let nobody else go on: the fault."""
    if request.path == SLOW:
        time.sleep(SLOW_S)
    return await handler(request)


def serve(work: Work) -> Result:
    """Run an event loop until all clients are done."""
    return asyncio.run(_serve(work))


async def _serve(work: Work) -> Result:
    slow = work.fault == "slow-resource"
    application = web.Application(middlewares=[dawdle] if slow else [])
    application.router.add_static("/", Path(work.services["folder"]))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0, backlog=work.number("clients")).start()
        reader, writer = await asyncio.open_connection(*door(work))
        writer.write(invitation(runner.addresses[0][1]))
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
    finally:
        await runner.cleanup()
    return result(answer)
