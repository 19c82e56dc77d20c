"""What no ssh client does, and who means no good may: it costs the daemon next to nothing."""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from twisted.conch.error import ConchError
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.ssh.ssh_factory import SSHFactory
from fingerd.doors.ssh.ssh_session import Connection, Session, SSHUser
from fingerd.model.limits import DEFAULTS
from tests.support.service import Finger

VERSION = b"SSH-2.0-x\r\n"
IGNORE, KEXINIT, HALF, REPLY = b"\x02", b"\x14", b"\x1e", b"\x1f"


class Wire(StringTransport):
    """What stands for a connection."""

    def abortConnection(self) -> None:
        """The daemon closes at once."""
        self.disconnecting = True


def packet(payload: bytes) -> bytes:
    """A packet as it is before keys are exchanged (RFC 4253 6)."""
    padding = 8 - (5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">LB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def algorithms() -> bytes:
    """What a client can do."""
    names = [b"curve25519-sha256", b"ssh-ed25519", *[b"aes128-ctr"] * 2, *[b"hmac-sha2-256"] * 2]
    return KEXINIT + bytes(16) + b"".join(map(NS, [*names, b"none", b"none", b"", b""])) + bytes(5)


def half() -> bytes:
    """A client's half of an exchange."""
    public = X25519PrivateKey.generate().public_key()
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return HALF + NS(public.public_bytes(*raw))


class HostileTests(SynchronousTestCase):
    """Connections in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = SSHFactory(Finger(self.clock, moshez="Happy"), DEFAULTS, self.clock)
        self.factory.useHostKey(Key(Ed25519PrivateKey.generate()))

    def sent(self, data: bytes) -> Wire:
        """A connection over which this was sent."""
        wire = Wire()
        protocol = self.factory.buildProtocol(None)
        protocol.makeConnection(wire)
        protocol.dataReceived(VERSION + data)
        return wire

    def test_exchange(self) -> None:
        """A client's half of an exchange is replied to."""
        wire = self.sent(packet(algorithms()) + packet(half()))
        self.assertFalse(wire.disconnecting)
        self.assertIn(REPLY + NS(self.factory.publicKeys[b"ssh-ed25519"].blob()), wire.value())

    def test_manyHalves(self) -> None:
        """A second half, which would take as much time as the first one, ends the connection."""
        wire = self.sent(packet(algorithms()) + packet(half()) * 2)
        self.assertTrue(wire.disconnecting)
        self.assertEqual(wire.value().count(self.factory.publicKeys[b"ssh-ed25519"].blob()), 1)
        self.assertIn(b"one exchange at a time", wire.value())

    def test_halfAlone(self) -> None:
        """So does one that comes before the client has said what it can do, or does so twice."""
        self.assertTrue(self.sent(packet(half())).disconnecting)
        self.assertTrue(self.sent(packet(algorithms()) * 2).disconnecting)

    def test_beforeTheLogin(self) -> None:
        """Whoever isn't logged in and sends on and on is closed soon."""
        some = packet(IGNORE + NS(b"")) * 1000
        self.assertFalse(self.sent(some).disconnecting)
        self.assertTrue(self.sent(some * 3).disconnecting)

    def test_longPacket(self) -> None:
        """A packet that is longer than any is not waited for."""
        self.assertTrue(self.sent(struct.pack(">LB", 1 << 30, 4) + bytes(100)).disconnecting)

    def test_tooManyExchanges(self) -> None:
        """A peer that begins exchange after exchange is told to come back later."""
        limits = DEFAULTS.__class__(sshLogins=2)
        self.factory = SSHFactory(Finger(self.clock, (), None, limits), limits, self.clock)
        words = []
        for _ in range(3):
            wire = Wire()
            protocol = self.factory.buildProtocol(None)
            protocol.host = "192.0.2.1"
            protocol.makeConnection(wire)
            protocol.dataReceived(VERSION + packet(algorithms()))
            words.append(b"too many logins" in wire.value())
        self.assertEqual(words, [False, False, True])

    def test_channels(self) -> None:
        """There are sessions only, a few, and none for a client that takes tiny packets."""
        user = SSHUser("moshez", self.factory)
        user.conn = Connection()
        self.assertIsInstance(user.lookupChannel(b"session", 1 << 20, 1 << 15, b""), Session)
        for kind, size in ((b"direct-tcpip", 1 << 15), (b"session", 0), (b"session", 100)):
            with self.assertRaises(ConchError):
                user.lookupChannel(kind, 1 << 20, size, b"")
        user.conn.channels = dict.fromkeys(range(4))
        with self.assertRaises(ConchError):
            user.lookupChannel(b"session", 1 << 20, 1 << 15, b"")
