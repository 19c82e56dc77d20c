"""
The server of the talk "Twisted: A Tutorial" (2004), in today's Twisted: a LineReceiver, a Deferred
for each user, write and loseConnection. It is what the daemon is measured against.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver


class FingerProtocol(LineReceiver):
    """Answers each line with the status of the user that it names."""

    factory: FingerFactory

    def lineReceived(self, line: bytes) -> None:
        d = self.factory.getUser(line)
        d.addErrback(lambda _: b"Internal error in server")
        d.addCallback(self.respond)

    def respond(self, value: bytes) -> None:
        """Send the answer and close."""
        assert self.transport is not None
        self.transport.write(value + b"\r\n")
        self.transport.loseConnection()


class FingerFactory(ServerFactory[FingerProtocol]):
    """Knows the users in a file."""

    protocol = FingerProtocol
    _log = Logger()

    def __init__(self, path: str, logged: bool = False) -> None:
        """
        @param logged: whether each query is an event of the log.
        """
        self._users: dict[bytes, bytes] = {}
        self._logged = logged
        with open(path, "rb") as file:
            for line in file:
                user, _, status = line.rstrip(b"\n").partition(b":")
                self._users[user] = status

    def getUser(self, user: bytes) -> Deferred[bytes]:
        """The status of a user."""
        if self._logged:
            self._log.info("query {user!r}", user=user)
        return succeed(self._users.get(user, b"No such user"))
