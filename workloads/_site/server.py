"""The site's server: a process of its own, so that serving costs are not the target's.

Started by ``_service.running``, which see.
"""

import asyncio
import json
import sys
from collections import Counter

from aiohttp import web

from concurtrace.workload import Work

from .specification import Site

BACKLOG = 1024
"""Connections that may wait to be accepted: the workers all start at once."""


class Server:
    """Answers requests; ``/-/requests`` tells how often each path was asked for.

    ``/-/peak`` tells how many requests were answered at once, at most. Whoever asks for
    ``/-/stall`` waits for ever: a server that hangs.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.requests: Counter[str] = Counter()
        self.present = 0
        self.peak = 0

    def application(self) -> web.Application:
        """Make the application that the server runs."""
        application = web.Application()
        application.router.add_get("/-/requests", self._tell_requests)
        application.router.add_get("/-/peak", self._tell_peak)
        application.router.add_get("/-/stall", self._stall)
        application.router.add_get("/{path:.*}", self._answer)
        return application

    async def _tell_requests(self, _request: web.Request) -> web.Response:
        return web.json_response(self.requests)

    async def _tell_peak(self, _request: web.Request) -> web.Response:
        return web.json_response(self.peak)

    async def _stall(self, _request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests[request.path] += 1
        resource = self.site.resource(request.path)
        if resource is None:
            return web.Response(status=404, text="There never was such a page.")
        self.present += 1
        self.peak = max(self.peak, self.present)
        try:
            await asyncio.sleep(resource.delay_s)
        finally:
            self.present -= 1
        return web.Response(status=resource.status, headers=resource.headers, body=resource.body)


async def serve(site: Site) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    runner = web.AppRunner(Server(site).application(), access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=BACKLOG).start()
    host, port = runner.addresses[0][:2]
    print(json.dumps(f"http://{host}:{port}"), flush=True)
    await ended.read()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(Site(Work(json.loads(sys.stdin.readline())))))
