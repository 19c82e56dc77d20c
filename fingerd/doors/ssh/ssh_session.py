"""
A session (RFC 4254 6): one command, its standard input, and what it says.

Only C{exec} and C{shell} are taken. There is no terminal, no environment, no subsystem such as
sftp, and nothing is forwarded; what asks for that is told no, and the command goes on without.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

from twisted.conch.error import ConchError
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.connection import (
    EXTENDED_DATA_STDERR,
    OPEN_ADMINISTRATIVELY_PROHIBITED,
    OPEN_RESOURCE_SHORTAGE,
    SSHConnection,
)
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.doors.ssh.ssh_commands import Wanted, parse
from fingerd.doors.ssh.ssh_transport import SILENT
from fingerd.model.errors import SettingRefused
from fingerd.text.cleaning import cleanLine

if TYPE_CHECKING:
    from fingerd.doors.ssh.ssh_factory import SSHFactory
    from fingerd.doors.ssh.ssh_transport import SSHTransport

# What a command ends with: see docs/ssh.md.
DONE, REFUSED, NO_SENSE = range(3)
# Sessions of one connection at a time: one, and those that clients are slow to close.
_SESSIONS = 4
# A client that takes less at a time would have an answer cut into thousands of packets; with 0,
# conch would never end. All take 32 KiB.
_SMALLEST_PACKET = 1024


class Connection(SSHConnection):
    """What goes on after the login."""

    _log = SILENT


@implementer(IConchUser)
class SSHUser:
    """
    Somebody who is logged in.

    @ivar login: who.
    @ivar conn: their connection; conch sets it.
    """

    conn: Connection

    def __init__(self, login: str, factory: SSHFactory) -> None:
        self.login = login
        self.factory = factory

    def lookupChannel(
        self, channelType: bytes, windowSize: int, maxPacket: int, data: bytes
    ) -> Session:
        """
        See L{IConchUser}.

        @raise ConchError: for everything but a few sessions.
        """
        if channelType != b"session":
            raise ConchError(OPEN_ADMINISTRATIVELY_PROHIBITED, "there are sessions only")
        if len(self.conn.channels) >= _SESSIONS or maxPacket < _SMALLEST_PACKET:
            raise ConchError(OPEN_RESOURCE_SHORTAGE, "too many sessions, or too small packets")
        return Session(self, windowSize, maxPacket)

    def lookupSubsystem(self, subsystem: bytes, data: bytes) -> None:
        """See L{IConchUser}: there is none."""

    def gotGlobalRequest(self, requestType: bytes, data: bytes) -> int:
        """See L{IConchUser}: nothing is forwarded."""
        return 0


class Session(SSHChannel):
    """Takes one command, and answers it in a later turn: some clients need the time to listen."""

    name = b"session"
    _log = SILENT
    _said = Logger()
    conn: Connection
    # The command's, and whether standard input is wanted, and what came of it.
    _wanted: Wanted | None = None
    _reading = False
    _asked = False
    _ended = False
    _answered = False
    _later: IDelayedCall | None = None

    def __init__(self, user: SSHUser, remoteWindow: int, remoteMaxPacket: int) -> None:
        super().__init__(remoteWindow=remoteWindow, remoteMaxPacket=remoteMaxPacket)
        self._user = user
        self._factory = user.factory
        self._input = bytearray()

    def requestReceived(self, requestType: bytes, data: bytes) -> bool:
        """Whether what the client asks for is done."""
        if self._asked or requestType not in (b"exec", b"shell"):
            return False
        self._asked = True
        command = getNS(data)[0] if requestType == b"exec" else b""
        self._later = self._factory.clock.callLater(0, self._begin, command)
        return True

    def dataReceived(self, data: bytes) -> None:
        """Some standard input is there; where none is wanted, it is thrown away."""
        if self._answered or (self._wanted is not None and not self._reading):
            return
        # (Before the command is looked at, it is not known whether any is wanted.)
        self._input += data
        most = self._factory.limits.sshInput
        if len(self._input) > most:
            self._answer("", f"Not set: standard input has {most} bytes at most", REFUSED)

    def extReceived(self, dataType: int, data: bytes) -> None:
        """A client has nothing to say here."""

    def eofReceived(self) -> None:
        """Standard input is over."""
        self._ended = True
        if self._reading:
            self._perform()

    def closed(self) -> None:
        """Both sides have closed the session."""
        self._answered = True
        self._cancel()

    def _begin(self, command: bytes) -> None:
        self._later = None
        if self._answered:
            return
        try:
            self._wanted = parse(command)
        except ValueError as error:
            self._answer("", str(error), NO_SENSE)
            return
        if self._wanted.reads and not self._ended:
            self._reading = True
            self._later = self._factory.clock.callLater(
                self._factory.limits.sshInputTime, self._late
            )
        else:
            self._perform()

    def _late(self) -> None:
        self._later = None
        self._answer("", "Not set: standard input has not ended in time", REFUSED)

    def _perform(self) -> None:
        self._cancel()
        self._reading = False
        assert self._wanted is not None
        transport = cast("SSHTransport", self.conn.transport)
        assert transport.visit is not None
        transport.visit.again()
        transport.visit.waits()
        performing = self._factory.performer.perform(
            self._user.login, self._wanted, bytes(self._input), transport.visit
        )
        performing.addCallbacks(self._done, self._refused).addErrback(self._failed)

    def _done(self, text: str) -> None:
        self._answer(text, "", DONE)

    def _refused(self, failure: Failure) -> None:
        error = failure.trap(SettingRefused, ValueError)
        self._answer(
            "", failure.getErrorMessage(), REFUSED if error is SettingRefused else NO_SENSE
        )

    def _failed(self, failure: Failure) -> None:
        self._said.failure("A command gets no answer", failure)
        cast("SSHTransport", self.conn.transport).abort()

    def _answer(self, out: str, error: str, status: int) -> None:
        if self._answered:
            return
        self._cancel()
        self._reading = False
        self._answered = True
        said = out.encode("utf-8")
        complaint = f"{cleanLine(error)}\n".encode() if error else b""
        visit = cast("SSHTransport", self.conn.transport).visit
        size = len(said) + len(complaint)
        outcome = "refused" if error else "set"
        if visit is None or not visit.answered(outcome, size, size):  # type: ignore[arg-type]
            return
        if said:
            self.write(said)
        if complaint:
            self.writeExtended(EXTENDED_DATA_STDERR, complaint)
        self.conn.sendRequest(self, b"exit-status", struct.pack(">L", status))
        self.loseConnection()

    def _cancel(self) -> None:
        if self._later is not None and self._later.active():
            self._later.cancel()
        self._later = None
