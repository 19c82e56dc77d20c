"""Logging in (RFC 4252): by a public key, in a few attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.conch.ssh.userauth import SSHUserAuthServer
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd.doors.ssh.ssh_transport import SILENT
from fingerd.logs.repeats import Like

if TYPE_CHECKING:
    from fingerd.doors.ssh.ssh_transport import SSHTransport

# conch has a deadline of its own, which begins anew with each login: longer than any connection.
_NEVER = 3600


class SSHLogin(SSHUserAuthServer):
    """
    Logs one client in. After C{limits.sshAttempts} attempts that failed, whoever's keys they were,
    the connection ends. Its time is the transport's business.
    """

    transport: SSHTransport
    _log = SILENT
    _said = Logger()
    loginTimeout = _NEVER

    def __init__(self, attempts: int, clock: IReactorTime) -> None:
        """
        @param clock: the reactor.
        """
        # conch compares with those that failed before.
        self.attemptsBeforeDisconnect = attempts - 1
        self.clock = clock

    def _cbFinishedAuth(self, result: Any) -> None:
        super()._cbFinishedAuth(result)
        self.transport.port.loggedIn(self.transport)

    def _ebBadAuth(self, reason: Failure) -> None:
        before = self.loginAttempts
        super()._ebBadAuth(reason)
        if self.loginAttempts > before:
            self._said.info(
                "no login by ssh as {user!r} from {host}",
                user=cast(bytes, self.user)[:64].decode("utf-8", "replace"),
                host=self.transport.host,
                like=Like(self.transport.host),
            )
