"""TLS ports: what is asked is answered whole, however the client closes."""

from __future__ import annotations

import socket
import ssl

from twisted.internet.threads import deferToThread

from fingerd.model.limits import Limits
from tests.doors.proxying import numberOf
from tests.doors.secure import Secure
from tests.doors.test_proxyheader import HEADERS
from tests.doors.tls import End
from tests.support.daemon import needs, run
from tests.support.ports import until

HAPPY = b"Happy and well\r\n"
LOOPBACK = "127.0.0.0/8"
LARGE = 200_000


class HalfCloseTests(Secure):
    """A client that sends no more gets its answer."""

    async def test_everyEnd(self) -> None:
        """However it ends its query, and whether the answer is short or long, it comes whole."""
        for endpoint in self.ssl, self.tls:
            port = numberOf(await self.open(self.factory, endpoint=endpoint))
            for status in "Happy and well", "x" * LARGE:
                self.status = status
                for end in End:
                    answer = await self.client(port, b"moshez\r\n", end)
                    self.assertEqual(answer, status.encode() + b"\r\n", (endpoint[:3], end))
        # None waits for its deadline.
        await until(lambda: not len(self.factory.present))

    async def test_aSecond(self) -> None:
        """An answer that takes a second comes all the same."""
        self.seconds = 1
        port = numberOf(await self.open(self.factory, endpoint=self.ssl))
        asked = [self.client(port, b"moshez\r\n", end) for end in End]
        for one in asked:
            self.assertEqual(await one, HAPPY)

    async def test_withoutLineEnd(self) -> None:
        """Who says that it sends no more has ended its line, as on a port without TLS."""
        port = numberOf(await self.open(self.factory, endpoint=self.ssl))
        for end in End.CLOSE_NOTIFY, End.BOTH:
            self.assertEqual(await self.client(port, b"moshez", end), HAPPY)

    async def test_cutShort(self) -> None:
        """A line whose end nobody has said may have been cut short on the way: it isn't asked."""
        port = numberOf(await self.open(self.factory, endpoint=self.ssl))
        with self.assertRaises((ssl.SSLEOFError, ConnectionError)):
            await self.client(port, b"mos", End.FIN)
        self.assertEqual(self.directory.asked, [])
        await until(lambda: not len(self.factory.present))

    async def test_noHandshake(self) -> None:
        """Who closes before TLS has begun is forgotten at once."""
        port = numberOf(await self.open(self.factory, endpoint=self.ssl))
        for data in b"", b"moshez\r\n", b"\x16\x03\x01\x02\0\x01":
            self.factory.clients.clear()
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(data)
                await until(lambda: self.factory.clients)
                client.shutdown(socket.SHUT_WR)
                await until(lambda: not len(self.factory.present))

    async def test_noPlace(self) -> None:
        """A client for whom there is no place is closed, and nothing goes wrong."""
        factory = self.noting(Limits(peerConnections=1))
        port = numberOf(await self.open(factory, endpoint=self.ssl))
        first = await self.connect(port)
        await until(lambda: len(factory.present))
        with self.assertRaises((ssl.SSLEOFError, ConnectionError)):
            await self.client(port, b"moshez\r\n", End.NOTHING)
        self.assertFalse(first.closed.called)
        self.assertEqual(len(factory.present), 1)
        first.transport.abortConnection()

    async def test_ncat(self) -> None:
        """Ncat, which closes its TCP side when its input ends, gets its answer."""
        needs("ncat")
        port = numberOf(await self.open(self.factory, endpoint=self.ssl))
        for status in "Happy and well", "x" * LARGE:
            self.status = status
            command = ("ncat", "--ssl", "127.0.0.1", str(port))
            answer = await deferToThread(run, *command, stdin=b"moshez\n")
            self.assertEqual(answer, status.encode() + b"\r\n")

    async def test_openssl(self) -> None:
        """openssl's own client, which waits for the end, gets its answer."""
        needs("openssl")
        port = numberOf(await self.open(self.factory, endpoint=self.ssl))
        for status in "Happy and well", "x" * LARGE:
            self.status = status
            command = ("openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}")
            answer = await deferToThread(run, *command, stdin=b"moshez\n")
            self.assertEqual(answer, status.encode() + b"\r\n")


class BehindBalancerTests(Secure):
    """A balancer that leaves TLS to the daemon sends its header before it."""

    async def test_headerBeforeTLS(self) -> None:
        """Header first, then TLS: the client's address, and its answer, whatever its end."""
        for endpoint in self.ssl, self.tls:
            port = numberOf(await self.open(self.factory, LOOPBACK, endpoint=endpoint))
            for header in HEADERS[0], HEADERS[3]:
                for end in End:
                    answer = await self.client(port, b"moshez\r\n", end, before=header)
                    self.assertEqual(answer, HAPPY)
        self.assertEqual(set(self.factory.clients), {"192.0.2.1:4660"})

    async def test_noHeader(self) -> None:
        """TLS without a header is closed, as anything else without one is."""
        port = numberOf(await self.open(self.factory, LOOPBACK, endpoint=self.ssl))
        with self.assertRaises((ssl.SSLEOFError, ConnectionError)):
            await self.client(port, b"moshez\r\n", End.NOTHING)
        self.assertEqual(self.factory.clients, [])

    async def test_noPlace(self) -> None:
        """A client for whom there is no place is closed behind its header."""
        factory = self.noting(Limits(peerConnections=1))
        port = numberOf(await self.open(factory, LOOPBACK, endpoint=self.ssl))
        first = await self.connect(port)
        first.transport.write(HEADERS[0])
        await until(lambda: factory.clients)
        with self.assertRaises((ssl.SSLEOFError, ConnectionError)):
            await self.client(port, b"moshez\r\n", End.NOTHING, before=HEADERS[0])
        self.assertFalse(first.closed.called)
        self.assertEqual(len(factory.present), 1)
        first.transport.abortConnection()
