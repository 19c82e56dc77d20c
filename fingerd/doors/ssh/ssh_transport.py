"""
An SSH connection (RFC 4253), and the visit that it is.

conch speaks the protocol. What is different here: it speaks modern algorithms only; what is no SSH
is not waited for, what makes no sense ends the connection and not in the log; and connections have
limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.conch.ssh.transport import (
    DISCONNECT_PROTOCOL_ERROR,
    DISCONNECT_TOO_MANY_CONNECTIONS,
    SSHServerTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.doors.net.exchange import EndingProtocol
from fingerd.doors.net.visited import IVisited
from fingerd.doors.ssh.key_checker import SIGNATURES
from fingerd.model.visiting import IVisit

if TYPE_CHECKING:
    from fingerd.doors.ssh.ssh_factory import SSHFactory

_VERSIONS = (b"SSH-2.0-", b"SSH-1.99-")
# RFC 4253 4.2, its end included.
_VERSION_LENGTH = 255
# What is kept of a packet that isn't whole yet: data comes in 32 KiB at most, the rest is short.
_PACKET = 40 * 1024
_NO_SENSE = b"that makes no sense"

_MODERN_EXCHANGES = frozenset(
    [
        b"mlkem768x25519-sha256",
        b"curve25519-sha256",
        b"curve25519-sha256@libssh.org",
        b"ecdh-sha2-nistp256",
        b"ecdh-sha2-nistp384",
        b"ecdh-sha2-nistp521",
    ]
)


@implementer(ILogObserver)
class _Nobody:
    """conch logs what strangers bring about, with what they sent: nobody reads that."""

    def __call__(self, event: LogEvent) -> None:
        """Nothing is written."""


SILENT = Logger(observer=_Nobody())


@implementer(IVisited)
class SSHTransport(EndingProtocol, SSHServerTransport):
    """
    One client's connection. Its login has C{limits.sshLoginTime} from the first moment, and
    C{limits.sshLoginBytes}; all of it has the time of a visit, and C{limits.sshBytes}.

    @ivar visit: see L{IVisited}.
    @ivar port: what made it.
    @ivar avatar: who is logged in; conch sets it.
    """

    visit: IVisit | None = None
    _log = SILENT
    # Nobody is told the version of Twisted.
    ourVersionString = b"SSH-2.0-fingerd"
    supportedCiphers = [b"aes256-ctr", b"aes192-ctr", b"aes128-ctr"]
    supportedMACs = [b"hmac-sha2-512", b"hmac-sha2-256"]
    supportedKeyExchanges = [
        name for name in SSHServerTransport.supportedKeyExchanges if name in _MODERN_EXCHANGES
    ]
    supportedPublicKeys = [b"ssh-ed25519"]
    supportedCompressions = [b"none"]
    _received = 0
    # Whether keys are to be exchanged, and the client's half hasn't come.
    _mayExchange = False

    def __init__(self, factory: SSHFactory, host: str | None) -> None:
        """
        @param host: the client's IP address, where it has one.
        """
        # conch's name for it, and its type.
        self.factory = cast(Any, factory)
        self.port = factory
        self.host = host

    def connectionMade(self) -> None:
        if self.visit is None:
            self.visit = self.port.enter(self)
        else:
            self.visit.end = self.abort
        if self.visit is None:
            self.abort()
            return
        self.port.arrived(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        self.port.left(self)
        if self.visit is not None:
            self.visit.leave()
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if not self._isOpen():
            return
        self._received += len(data)
        limits = self.port.limits
        loggedIn = hasattr(self, "avatar")
        if self._received > (limits.sshBytes if loggedIn else limits.sshLoginBytes):
            self.abort()
            return
        try:
            if self.gotVersion:
                super().dataReceived(data)
            else:
                self._takeVersion(data)
        except Exception:
            # What was cut or made up makes conch raise what comes. That is the client's business.
            self._refuse(_NO_SENSE)
        if len(self.buf) > _PACKET:
            self.abort()

    def getPacket(self) -> bytes | None:
        """The next packet that is there; none where the one before it has ended the connection."""
        packet: bytes | None = super().getPacket() if self._isOpen() else None
        if packet == b"":
            # With nothing in it it would be taken for none, and those behind it would wait.
            self._refuse(_NO_SENSE)
        return packet

    def ssh_KEXINIT(self, packet: bytes) -> None:
        """Keys are to be exchanged, which takes some milliseconds of the processor's time."""
        assert self.visit is not None
        if self.port.service.mayLogIn(self.visit):
            self._mayExchange = True
            super().ssh_KEXINIT(packet)
        else:
            self.sendDisconnect(
                DISCONNECT_TOO_MANY_CONNECTIONS, b"too many logins; try again in a minute"
            )

    def ssh_KEX_DH_GEX_REQUEST_OLD(self, packet: bytes) -> None:
        """The client's half of an exchange: conch would take any number of them."""
        # (One that comes unasked, after a wrong guess, isn't it yet.)
        if not self.ignoreNextPacket:
            if not self._mayExchange:
                self._refuse(b"one exchange at a time")
                return
            self._mayExchange = False
        super().ssh_KEX_DH_GEX_REQUEST_OLD(packet)

    def sendExtInfo(self, extensions: list[tuple[bytes, bytes]]) -> None:
        """Say what may be signed with: conch knows only of what host keys sign with."""
        super().sendExtInfo([(b"server-sig-algs", b",".join(SIGNATURES))])

    def _takeVersion(self, data: bytes) -> None:
        self.buf += data
        begin = self.buf[: len(_VERSIONS[1])]
        if not any(begin.startswith(each[: len(begin)]) for each in _VERSIONS):
            self.abort()
            return
        line, end, rest = self.buf.partition(b"\n")
        if len(line) >= _VERSION_LENGTH:
            self.abort()
        elif end:
            # Alone: conch looks for more such lines in what comes with it.
            self.buf = b""
            self.port.spoke(self)
            super().dataReceived(line + end)
            if rest:
                super().dataReceived(rest)

    def _refuse(self, words: bytes) -> None:
        if self._isOpen():
            self.sendDisconnect(DISCONNECT_PROTOCOL_ERROR, words)

    def _isOpen(self) -> bool:
        return (
            self.visit is not None
            and self.visit.present
            and not getattr(self.transport, "disconnecting", False)
        )
