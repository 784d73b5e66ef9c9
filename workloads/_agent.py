"""Twisted's HTTP client, as the workloads use it."""

from typing import Any

from twisted.internet import defer, error, reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseFailed, readBody
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

FAILURES: tuple[type[Exception], ...] = (
    error.ConnectError,
    error.ConnectionClosed,
    defer.TimeoutError,
    ResponseFailed,
)
"""What a request without an answer raises."""


@implementer(IAgentEndpointFactory)
class _ByAddress:
    """Connects to the address as it stands: to look up a name would take a thread."""

    def endpointForURI(self, uri: URI) -> TCP4ClientEndpoint:  # noqa: N802 - Twisted's name
        return TCP4ClientEndpoint(reactor, uri.host.decode(), uri.port)


class Client:
    """A client that keeps so many connections open between requests."""

    def __init__(self, connections: int) -> None:
        self.connections = HTTPConnectionPool(reactor)
        self.connections.maxPersistentPerHost = connections
        self.agent = Agent.usingEndpointFactory(reactor, _ByAddress(), self.connections)

    async def get(self, url: str, timeout_s: float) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of what is at a URL; one of FAILURES otherwise."""
        request = self.agent.request(b"GET", url.encode())
        answer = await request.addTimeout(timeout_s, reactor)
        body = await readBody(answer).addTimeout(timeout_s, reactor)
        raw: Any = answer.headers.getAllRawHeaders()
        headers = {name.decode(): values[0].decode() for name, values in raw}
        return answer.code, headers, body

    async def close(self) -> None:
        """Close the connections."""
        await self.connections.closeCachedConnections()
