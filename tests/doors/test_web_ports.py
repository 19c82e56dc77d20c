"""The web door at every kind of port that it can be at."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory

from fingerd.doors.net.balancers import parseBalancers
from fingerd.doors.web.web_door import listener
from fingerd.model.limits import DEFAULTS
from fingerd.model.rules import Rules
from tests.doors.secure import Secure
from tests.doors.test_door_names import Noting
from tests.doors.test_proxyheader import HEADERS
from tests.doors.tls import End
from tests.doors.web import Response, responses
from tests.support.ports import TIME, Client, temporaryFolder
from tests.support.service import Finger

GET = b"GET /moshez HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
LAST = GET + b"Connection: close\r\n\r\n"


class PortTests(Secure):
    """Doors with TLS and without, with a proxy before them and without."""

    def setUp(self) -> None:
        super().setUp()
        self.log = Noting()
        self.finger = Finger(
            TIME, (), None, DEFAULTS, Rules(), None, self.log, moshez="Happy and well"
        )
        # When all doors are closed.
        self.addCleanup(self.finger.visits.drain)

    def door(self, endpoint: str, *listed: str) -> int:
        """Open a door as the daemon does. Its port, where it has one."""
        balancers = parseBalancers(listed) if listed else None
        opened = listener(self.finger, endpoint, reactor, DEFAULTS, balancers)
        opened.startService()
        self.addCleanup(opened.stopService)
        return getattr(opened.address, "port", 0)

    def page(self, data: bytes) -> Response:
        """The one page that was sent."""
        (response,) = responses(data)
        self.assertEqual(response.status, 200)
        self.assertIn("Happy and well", response.text)
        return response

    def noted(self) -> list[tuple[str | None, str]]:
        """What the log was told since this was last asked."""
        noted, self.log.noted = self.log.noted, []
        return noted

    async def test_tls(self) -> None:
        """By TLS the same pages are there, and they call themselves so."""
        for endpoint in self.tls, self.ssl:
            port = self.door(endpoint)
            for end in End.NOTHING, End.CLOSE_NOTIFY:
                response = self.page(await self.client(port, LAST, end))
                self.assertIn('rel="canonical" href="https://localhost/moshez"', response.text)
            self.assertEqual(set(self.noted()), {("127.0.0.1", "web")})

    async def test_tlsAgain(self) -> None:
        """A connection by TLS takes several requests, too."""
        port = self.door(self.tls)
        first, second = responses(await self.client(port, GET + b"\r\n" + LAST, End.NOTHING))
        self.assertEqual(first.body, second.body)

    async def test_plain(self) -> None:
        """Without TLS a page calls itself what its client does."""
        response = self.page(await self.ask(self.door("tcp:0:interface=127.0.0.1"), LAST))
        self.assertIn('rel="canonical" href="http://localhost/moshez"', response.text)

    async def test_proxyHeader(self) -> None:
        """A listed proxy says where clients are, before HTTP begins and before TLS does."""
        port = self.door("tcp:0:interface=127.0.0.1", "127.0.0.1")
        said = "192.0.2.1", "2001:db8::1", "127.0.0.1", "192.0.2.1", "2001:db8::1", "127.0.0.1"
        for header, host in zip(HEADERS, said, strict=True):
            self.page(await self.ask(port, header + LAST))
            self.assertEqual(self.noted(), [(host, "web")], header)
        port = self.door(self.tls, "127.0.0.1")
        self.page(await self.client(port, LAST, End.NOTHING, HEADERS[0]))
        self.assertEqual(self.noted(), [("192.0.2.1", "web")])

    async def test_headerWins(self) -> None:
        """Where a proxy sends that header, nobody is believed what a request says."""
        port = self.door("tcp:0:interface=127.0.0.1", "127.0.0.1")
        forged = GET + b"X-Forwarded-For: 198.51.100.7\r\nConnection: close\r\n\r\n"
        self.page(await self.ask(port, HEADERS[0] + forged))
        self.assertEqual(self.noted(), [("192.0.2.1", "web")])

    async def test_headerOfOthers(self) -> None:
        """From anybody else that header is no request, and no page."""
        port = self.door("tcp:0:interface=127.0.0.1", "192.0.2.0/24")
        (response,) = responses(await self.ask(port, b"PROXY TCP4 1.2.3.4 1.2.3.4 5 6\r\n" + LAST))
        self.assertEqual(response.status, 400)
        self.assertEqual(self.noted(), [("127.0.0.1", "web")])

    async def test_unix(self) -> None:
        """At a UNIX socket a proxy may say it either way."""
        path = f"{temporaryFolder(self)}/web"
        self.door(f"unix:{path}", "unix")
        for request in (
            HEADERS[0] + LAST,
            GET + b"X-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n",
        ):
            client = await UNIXClientEndpoint(reactor, path).connect(Factory.forProtocol(Client))
            client.transport.write(request)
            self.page(await client.closed)
            self.assertEqual(self.noted(), [("192.0.2.1", "web")])
