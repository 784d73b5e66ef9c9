"""Twisted's own server of static files: a Site, and a File for what is in a folder."""

import time

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.web.server import Request, Site
from twisted.web.static import File

from concurtrace.workload import Result, Work

from .._invitation_reactor import Invitation
from .._reactor import run
from .files import HOST, SLOW, SLOW_S, door, result


class SlowFile(File):  # type: ignore[misc] # Twisted's types are not read
    """Takes some time for one page, and lets nobody else go on: the fault."""

    def render_GET(self, request: Request) -> object:  # noqa: N802 - Twisted's name
        """Answer one request."""
        if request.path == SLOW.encode():
            time.sleep(SLOW_S)
        return super().render_GET(request)


def serve(work: Work) -> Result:
    """Run the reactor until all clients are done."""
    return run(Server(work).serve)


class Server:
    """The server of a run."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def serve(self) -> Result:
        """Listen, invite the clients, and wait until they are done."""
        kind = SlowFile if self.work.fault == "slow-resource" else File
        clients = self.work.number("clients")
        endpoint = TCP4ServerEndpoint(reactor, 0, backlog=clients, interface=HOST)
        port = await endpoint.listen(Site(kind(self.work.services["folder"])))
        try:
            crowd = TCP4ClientEndpoint(reactor, *door(self.work))
            invitation = await connectProtocol(crowd, Invitation(port.getHost().port))
            answer = await invitation.answer
        finally:
            await port.stopListening()
        return result(answer)
