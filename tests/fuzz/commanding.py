"""The ssh door: whatever is no SSH is closed, and whatever command is said sets only one's own."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from fingerd.doors.ssh.ssh_commands import parse
from fingerd.doors.ssh.ssh_factory import SSHFactory
from fingerd.doors.ssh.ssh_session import DONE, NO_SENSE, REFUSED, Connection, Session, SSHUser
from fingerd.doors.ssh.ssh_transport import SSHTransport
from fingerd.model.limits import DEFAULTS
from fingerd.model.record import Part
from fingerd.model.visiting import IVisit
from fingerd.stores.memory import MemoryStore
from fingerd.text.cleaning import clean
from tests.fuzz import checks
from tests.support.service import Finger

# Standard input never ends.
_ENDLESS = 0

_NOW = 1e9
_USER = "moshez"
_OURS = b"SSH-2.0-fingerd\r\n"
_THEIRS = (b"SSH-2.0-", b"SSH-1.99-")
# Longer than what conch and the door count in.
_A_WHILE = 61


class _Door:
    """An ssh port in memory, with two users."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(lambda: _NOW)
        self.finger = Finger(self.clock, (), self.store, moshez="Happy", radix="Writing")
        self.factory = SSHFactory(self.finger, DEFAULTS, self.clock)
        self.factory.useHostKey(Key(Ed25519PrivateKey.generate()))


class _Wire(StringTransport):
    """What stands for a connection."""

    def abortConnection(self) -> None:
        """The daemon closes at once."""
        self.loseConnection()


class Connecting(_Door):
    """What comes over a new connection, before anybody is logged in."""

    def __init__(self) -> None:
        super().__init__()
        # The daemon speaks first: its version, and what it can do.
        self._greeting = len(self._said([])[0])

    def __call__(self, given: bytes) -> None:
        sent = checks.read(given)
        whole, closed = self._said([sent.data])
        for segments in sent.cuts:
            said, closedToo = self._said(segments)
            # (What the daemon sends has some random bytes.)
            assert (len(said), closedToo) == (len(whole), closed), (whole, said)
        assert whole.startswith(_OURS)
        line, end, _ = sent.data.partition(b"\n")
        if not any(line.startswith(each[: len(line)]) for each in _THEIRS) or len(line) > 255:
            assert closed, "it waits for what is no SSH"
        if not (end and line.startswith(_THEIRS)):
            assert len(whole) == self._greeting, "it answers what is no SSH"

    def _said(self, segments: Sequence[bytes]) -> tuple[bytes, bool]:
        self.clock.advance(_A_WHILE)
        wire = _Wire()
        protocol = self.factory.buildProtocol(None)
        protocol.makeConnection(wire)
        for segment in segments:
            if not wire.disconnecting:
                protocol.dataReceived(segment)
        said = wire.value(), wire.disconnecting
        protocol.connectionLost()
        assert len(self.finger.remoteSetters) == 0, "a place is not given back"
        return said


class _Transport:
    """What a session looks for in the connection below."""

    def __init__(self, visit: IVisit) -> None:
        self.visit = visit


class _Sessions(Connection):
    """Keeps what one session says."""

    def __init__(self, visit: IVisit) -> None:
        super().__init__()
        self.transport = cast(SSHTransport, _Transport(visit))
        self.out = self.error = b""
        self.ended: list[int] = []

    def sendData(self, channel: SSHChannel, data: bytes) -> None:
        self.out += data

    def sendExtendedData(self, channel: SSHChannel, dataType: int, data: bytes) -> None:
        self.error += data

    def sendRequest(
        self, channel: SSHChannel, requestType: bytes, data: bytes, wantReply: int = 0
    ) -> None:
        assert requestType == b"exit-status"
        self.ended.append(struct.unpack(">L", data)[0])

    def sendClose(self, channel: SSHChannel) -> None:
        channel.closed()


@dataclass(frozen=True)
class _Came:
    """What came of a command."""

    out: bytes
    error: bytes
    ended: Sequence[int]
    set: dict[str, dict[Part, str]]


class Commanding(_Door):
    """A command and, behind a zero byte, standard input."""

    def __call__(self, given: bytes) -> None:
        sent = checks.read(given)
        command, _, stdin = sent.data.partition(b"\0")
        came = self._came(sent, command, [stdin])
        for segments in sent.cuts:
            pieces, before = [], len(command) + 1
            for segment in segments:
                pieces.append(segment[before:])
                before = max(before - len(segment), 0)
            assert self._came(sent, command, pieces) == came, came
        assert len(came.ended) == 1 and came.ended[0] in (DONE, REFUSED, NO_SENSE), came
        out, error = came.out.decode(), came.error.decode()
        assert clean(out) == out and clean(error) == error, came
        if came.ended != [DONE]:
            assert not out and not came.set, came
            assert error.endswith("\n") and error.count("\n") == 1 and error.strip(), came
            return
        assert not error, came
        wanted = parse(command)
        text = stdin.decode().replace("\r\n", "\n").strip() if wanted.reads else wanted.text
        isSet = wanted.verb == "set" and text
        assert came.set == ({_USER: {wanted.part: text}} if isSet else {}), came

    def _came(self, sent: checks.Bytes, command: bytes, pieces: Sequence[bytes]) -> _Came:
        self.clock.advance(_A_WHILE)
        visit = self.finger.remoteSetters.enter("ssh", "192.0.2.1", lambda: None)
        assert visit is not None
        connection = _Sessions(visit)
        session = Session(SSHUser(_USER, self.factory), 1 << 24, 1 << 15)
        session.conn = connection
        assert session.requestReceived(b"exec", NS(command))
        self.clock.advance(0)
        for piece in pieces:
            session.dataReceived(piece)
        if not sent.flag(_ENDLESS):
            session.eofReceived()
        self.clock.advance(DEFAULTS.sshInputTime)
        visit.leave()
        return _Came(connection.out, connection.error, connection.ended, self._cleared())

    def _cleared(self) -> dict[str, dict[Part, str]]:
        """What was set, by login; none of it is set any more."""
        found = {}
        for login in (_USER, "radix"):
            entries = [entry for entry in self.store.held(login) if entry is not None]
            if entries:
                found[login] = {entry.part: entry.text for entry in entries}
            self.store.erase(login)
        return found
