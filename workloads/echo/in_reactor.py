"""A Twisted server: a Protocol for each client, which the reactor calls."""

import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from concurtrace.workload import Result, Work

from .._invitation_reactor import Invitation
from .._reactor import run
from .messages import HOST, LOOK_UP_S, door, result


class Echo(Protocol):  # type: ignore[misc] # Twisted's types are not read
    """Sends back what a client sends."""

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Greet a client; with the fault, look it up somewhere first."""
        if self.factory.blocks:
            time.sleep(LOOK_UP_S)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Send it back."""
        self.transport.write(data)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """Note that the client has gone."""
        self.factory.leave()


class Hall(Factory):  # type: ignore[misc]
    """Makes a Protocol for each client, and counts those that have gone."""

    protocol = Echo

    def __init__(self, work: Work) -> None:
        self.blocks = work.fault == "blocking-handler"
        self.expected = work.size
        self.all_gone: Deferred[None] = Deferred()

    def leave(self) -> None:
        """Note that a client has gone."""
        self.expected -= 1
        if not self.expected:
            self.all_gone.callback(None)


def serve(work: Work) -> Result:
    """Run the reactor until all clients are done."""
    return run(Server(work).serve)


class Server:
    """The server of a run."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def serve(self) -> Result:
        """Listen, invite the clients, and wait until all have gone."""
        hall = Hall(self.work)
        endpoint = TCP4ServerEndpoint(reactor, 0, backlog=self.work.size, interface=HOST)
        port = await endpoint.listen(hall)
        try:
            crowd = TCP4ClientEndpoint(reactor, *door(self.work))
            invitation = await connectProtocol(crowd, Invitation(port.getHost().port))
            answer = await invitation.answer
            await hall.all_gone
        finally:
            await port.stopListening()
        return result(answer)
