"""The invitation of clients, for Twisted's reactor."""

from twisted.internet.defer import Deferred
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from ._invitation import invitation


class Invitation(LineOnlyReceiver):  # type: ignore[misc] # Twisted's types are not read
    """Tells the clients where the server is, and waits for their answer."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 30

    def __init__(self, port: int) -> None:
        self.port = port
        self.answer: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Say where."""
        self.transport.write(invitation(self.port))

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        """Take the answer."""
        self.answer.callback(line)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """Say so if they went without one."""
        if not self.answer.called:
            self.answer.errback(reason)
