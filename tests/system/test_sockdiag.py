"""What the kernel says of one TCP socket."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct

from twisted.trial.unittest import SynchronousTestCase

from fingerd.system.sockdiag import End, Held, find, read


def packed(text: str) -> bytes:
    """An address in network order."""
    return ipaddress.ip_address(text).packed


LOCAL = End(packed("127.0.0.1"), 40000)
REMOTE = End(packed("127.0.0.1"), 1079)

ESTABLISHED, SYN_SENT, FIN_WAIT2, TIME_WAIT, LISTEN = 1, 2, 5, 6, 10


def reply(
    state: int = ESTABLISHED,
    *,
    local: End = LOCAL,
    remote: End = REMOTE,
    uid: int = 1000,
    inode: int = 4242,
    kind: int = 20,
    family: int = socket.AF_INET,
) -> bytes:
    """What the kernel would answer, in the layout of linux/inet_diag.h."""
    body = (
        struct.pack("=BBBB", family, state, 0, 0)
        + struct.pack("!HH16s16s", local.port, remote.port, local.ip, remote.ip)
        + struct.pack("=III", 0, 7, 7)
        + struct.pack("=IIIII", 0, 0, 0, uid, inode)
    )
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


class ReadTests(SynchronousTestCase):
    """Replies, as the kernel has been seen to give them."""

    def test_held(self) -> None:
        """A connected socket that a process holds has an owner, root among them."""
        self.assertEqual(read(reply(), LOCAL, REMOTE), Held(1000, 4242))
        self.assertEqual(read(reply(state=FIN_WAIT2, uid=0), LOCAL, REMOTE), Held(0, 4242))

    def test_closed(self) -> None:
        """A socket that no process holds any more has no owner, though the kernel says uid 0."""
        for state in (ESTABLISHED, FIN_WAIT2, 4, 8):
            self.assertIsNone(read(reply(state, uid=0, inode=0), LOCAL, REMOTE))

    def test_timeWait(self) -> None:
        """Nor has a connection that is over."""
        self.assertIsNone(read(reply(TIME_WAIT, uid=0, inode=0), LOCAL, REMOTE))
        self.assertIsNone(read(reply(TIME_WAIT), LOCAL, REMOTE))

    def test_connecting(self) -> None:
        """A socket that only tries to connect owns no connection."""
        self.assertIsNone(read(reply(SYN_SENT), LOCAL, REMOTE))

    def test_listening(self) -> None:
        """A socket that listens on the client's old port is not the client."""
        nobody = End(packed("0.0.0.0"), 0)
        self.assertIsNone(read(reply(LISTEN, remote=nobody, uid=0), LOCAL, REMOTE))
        self.assertIsNone(read(reply(ESTABLISHED, remote=nobody, uid=0), LOCAL, REMOTE))

    def test_anotherSocket(self) -> None:
        """Nor is a socket with other addresses."""
        self.assertIsNone(read(reply(local=LOCAL._replace(port=1)), LOCAL, REMOTE))
        self.assertIsNone(read(reply(local=REMOTE, remote=LOCAL), LOCAL, REMOTE))

    def test_mapped(self) -> None:
        """An IPv6 socket that talks IPv4 is found under its IPv4 addresses."""
        mapped = packed("::ffff:127.0.0.1")
        answer = reply(local=End(mapped, 40000), remote=End(mapped, 1079), family=socket.AF_INET6)
        self.assertEqual(read(answer, LOCAL, REMOTE), Held(1000, 4242))

    def test_errors(self) -> None:
        """An error, a short reply and no reply at all tell of no owner."""
        error = struct.pack("=IHHIIi", 36, 2, 0, 0, 0, -2) + bytes(16)
        for data in (error, reply(kind=3), reply()[:-1], b""):
            self.assertIsNone(read(data, LOCAL, REMOTE))


class FindTests(SynchronousTestCase):
    """The kernel of this machine, about real sockets."""

    def pair(self, host: str) -> tuple[socket.socket, socket.socket]:
        """A client and its server's end."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as listening:
            client = socket.create_connection(listening.getsockname()[:2])
            self.addCleanup(client.close)
            served, _ = listening.accept()
            self.addCleanup(served.close)
        return client, served

    def ends(self, near: socket.socket) -> tuple[End, End]:
        """The addresses of a socket and of its peer."""
        name, peer = near.getsockname(), near.getpeername()
        return End(packed(name[0]), name[1]), End(packed(peer[0]), peer[1])

    def test_bothFamilies(self) -> None:
        """Each end of a connection is found, over IPv4 and over IPv6."""
        for host in ("127.0.0.1", "::1"):
            for end in self.pair(host):
                expected = Held(os.getuid(), os.fstat(end.fileno()).st_ino)
                self.assertEqual(find(self.ends(end)), [expected])

    def test_halfClosed(self) -> None:
        """A client that has closed only its sending side is still found."""
        client, _ = self.pair("127.0.0.1")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(
            find(self.ends(client)), [Held(os.getuid(), os.fstat(client.fileno()).st_ino)]
        )

    def test_closed(self) -> None:
        """A client that has closed is not found, and neither is one that never was."""
        client, served = self.pair("127.0.0.1")
        ends = self.ends(client)
        client.close()
        self.assertEqual(find(ends), [None])
        served.close()
        self.assertEqual(find(ends), [None])
        self.assertEqual(find((ends[0]._replace(port=1), ends[1])), [None])

    def test_several(self) -> None:
        """Each of several is told of, in their order, also behind one that isn't there."""
        client, served = self.pair("127.0.0.1")
        there = self.ends(client)
        gone = there[0]._replace(port=1), there[1]
        client_, served_ = (
            Held(os.getuid(), os.fstat(end.fileno()).st_ino) for end in (client, served)
        )
        self.assertEqual(find(gone, there, gone, self.ends(served)), [None, client_, None, served_])

    def test_listenerOnly(self) -> None:
        """A port on which somebody only listens gives no owner of a connection."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            local = End(packed("127.0.0.1"), listening.getsockname()[1])
            self.assertEqual(find((local, End(packed("127.0.0.1"), 1))), [None])
