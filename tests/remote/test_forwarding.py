"""Passing a query on to another host: L{fingerd.remote.forwarding}."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IReactorFromThreads
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fingerd.model.errors import DirectoryError
from fingerd.model.interfaces import IForwarder
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.query import Name, parse
from fingerd.model.rules import DEFAULT_RULES
from fingerd.remote.client import requestLine
from fingerd.remote.forwarding import Forwarder, isPublic
from fingerd.remote.hosts import Resolver
from tests.fuzz.peer import Peer, PublicResolver
from tests.support import upstreams
from tests.support.ports import TCP, TIME, Sockets
from tests.support.service import Finger
from tests.support.upstreams import Names, Upstream
from tests.support.written_log import WrittenLog

DENIED = b"Finger forwarding service denied\r\n"


def notForwarding(events: Sequence[LogEvent]) -> list[str]:
    """What the forwarder said in the log."""
    return [line for line in map(formatEvent, events) if line.startswith("not forwarding")]


class Forwarders(Sockets):
    """A test with other hosts on loopback, by names that the test decides on."""

    def setUp(self) -> None:
        self.host = Upstream(upstreams.says(b"Happy\r\nand well\r\n"))
        self.port = self.host.listen(self, "127.0.0.2")
        self.names = Names({"friend.example": ["127.0.0.2"], "a.example.com": ["127.0.0.2"]})
        self.own: list[IAddress] = []

    def forwarder(
        self, *hosts: str, limits: Limits = DEFAULTS, port: int | None = None
    ) -> Forwarder:
        return Forwarder(
            hosts,
            lambda: self.own,
            TCP,
            limits,
            resolver=Resolver(cast(IReactorFromThreads, TCP), limits, self.names.getaddrinfo),
            port=self.port if port is None else port,
        )

    def daemon(self, *hosts: str, limits: Limits = DEFAULTS, port: int | None = None) -> int:
        """A daemon that forwards to these hosts; give its port."""
        forwarder = self.forwarder(*hosts, limits=limits, port=port)
        finger = Finger(TIME, (), None, limits, DEFAULT_RULES, forwarder, moshez="Local")
        return self.listen(finger.getFingerFactory())


class AnyNameTests(SynchronousTestCase):
    """What is asked of other hosts."""

    @given(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.lists(st.sampled_from([*"a.@[:ⓔé", ".example", "friend", "FRIEND", "@friend.example"])),
        st.booleans(),
    )
    def test_oneLine(self, user: str, host: list[str], verbose: bool) -> None:
        """Whatever name is asked for, one line goes to a host that was named, or none to any."""
        peer = Peer(lambda line: [b"Happy\r\n"])
        resolver = PublicResolver()
        forwarder = Forwarder(["friend.example"], lambda: (), peer, resolver=resolver)
        for name in parse(f"{user}@{''.join(host)}".encode()).names:
            if name.host is None:
                continue
            peer.requests.clear()
            resolver.asked.clear()
            answer = self.successResultOf(forwarder.forward(name, verbose))
            if answer is None:
                self.assertEqual((resolver.asked, peer.requests), ([], []))
            else:
                self.assertEqual((answer, resolver.asked), ("Happy", ["friend.example"]))
                self.assertEqual(peer.requests, [requestLine(name.user, verbose)])
                self.assertEqual(peer.requests[0].splitlines(), [peer.requests[0][:-2]])
                self.assertLessEqual(name.user.count("@"), 1)


class DaemonTests(Forwarders):
    """What the clients of a daemon see, and the hosts it asks."""

    async def test_default(self) -> None:
        """Nothing is forwarded unless that was asked for."""
        port = self.serve(moshez="Local")
        for line in (b"moshez@127.0.0.2\r\n", b"@localhost\r\n", b"a@b@c\r\n", b"moshez@\r\n"):
            self.assertEqual(await self.ask(port, line), DENIED)

    async def test_forwarded(self) -> None:
        """A host that was named is asked, and its answer is passed on."""
        port = self.daemon("127.0.0.2")
        answer = await self.ask(port, b"moshez@127.0.0.2\r\n")
        self.assertEqual(answer, b"Happy\r\nand well\r\n")
        self.assertEqual(await self.ask(port, b"moshez\r\n"), b"Local\r\n")
        self.assertEqual(self.host.requests, [b"moshez\r\n"])

    async def test_requests(self) -> None:
        """The right-most host is asked for the rest; /W travels on in front."""
        port = self.daemon("127.0.0.2")
        for line in (
            b"@127.0.0.2\r\n",
            b"/W @127.0.0.2\r\n",
            b"/w moshez@127.0.0.2\r\n",
            b"moshez@inside@127.0.0.2\r\n",
            b"@inside@127.0.0.2 /W\r\n",
        ):
            await self.ask(port, line)
        self.assertEqual(
            self.host.requests,
            [
                b"\r\n",
                b"/W\r\n",
                b"/W moshez\r\n",
                b"moshez@inside\r\n",
                b"/W @inside\r\n",
            ],
        )

    async def test_cleaned(self) -> None:
        """What another host sends can't drive a terminal either."""
        self.host.behaviour = upstreams.says(b"Happy \x1b[2J\x9b and \xe2\x80\xaewell\r\n")
        answer = await self.ask(self.daemon("127.0.0.2"), b"moshez@127.0.0.2\r\n")
        self.assertEqual(answer.decode(), "Happy [2J\ufffd and well\r\n")

    async def test_several(self) -> None:
        """Of several names, each is asked for where it is."""
        port = self.daemon("127.0.0.2")
        answer = await self.ask(port, b"moshez moshez@127.0.0.2 moshez@127.0.0.3\r\n")
        self.assertEqual(
            answer,
            b"[moshez]\r\nLocal\r\n\r\n"
            b"[moshez@127.0.0.2]\r\nHappy\r\nand well\r\n\r\n"
            b"[moshez@127.0.0.3]\r\nFinger forwarding service denied\r\n",
        )

    async def test_chain(self) -> None:
        """Through two of these daemons a query reaches the third."""
        inner = self.host
        inner.listen(self, "127.0.0.4", self.port)
        gate = self.daemon("127.0.0.4")
        port = self.daemon("127.0.0.1", port=gate)
        answer = await self.ask(port, b"/W moshez@127.0.0.4@127.0.0.1\r\n")
        self.assertEqual(answer, b"Happy\r\nand well\r\n")
        self.assertEqual(inner.requests, [b"/W moshez\r\n"])

    async def test_failure(self) -> None:
        """A host that fails is an error, with the reason in the log; it isn't a refusal."""
        self.host.behaviour = upstreams.silent
        port = self.daemon("127.0.0.2", limits=replace(DEFAULTS, upstreamTime=0.1))
        with capturedLogs() as events:
            answer = await self.ask(port, b"moshez@127.0.0.2\r\n")
        self.assertRegex(answer, b"^Internal error in server\r\nReference: ")
        [line] = [line for line in map(formatEvent, events) if line.startswith("forwarding")]
        self.assertTrue(
            line.startswith(
                "forwarding 'moshez' to '127.0.0.2': "
                f"127.0.0.2:{self.port}: no whole answer within 0.1 seconds (reference "
            ),
            line,
        )

    async def test_clientGone(self) -> None:
        """A client that goes away ends what is asked for it."""
        self.host.behaviour = upstreams.silent
        client = await self.connect(self.daemon("127.0.0.2"))
        client.transport.write(b"moshez@127.0.0.2\r\n")
        await self.host.asked.get()
        client.transport.abortConnection()
        await self.host.lost.get()


class PolicyTests(Forwarders):
    """Which hosts are asked, and at which addresses."""

    async def allowed(self, forwarder: Forwarder, user: str, host: str) -> bool:
        before = len(self.host.requests)
        text = await forwarder.forward(Name(user, host), False)
        self.assertEqual(text, None if len(self.host.requests) == before else "Happy\nand well")
        return text is not None

    def test_interface(self) -> None:
        """It is what a daemon forwards by."""
        verifyObject(IForwarder, self.forwarder())

    async def test_names(self) -> None:
        """A name is compared without regard to case and a dot at the end, and as a whole."""
        forwarder = self.forwarder("Friend.Example.", "127.0.0.2")
        for host in ("friend.example", "FRIEND.example", "friend.example."):
            self.assertTrue(await self.allowed(forwarder, "moshez", host), host)
        for host in (
            "xfriend.example",
            "friend.example.com",
            "example",
            "friend",
            "friend.example..",
        ):
            self.assertFalse(await self.allowed(forwarder, "moshez", host), host)
        # Nobody asks the DNS about other people's hosts.
        self.assertEqual(set(self.names.asked), {"friend.example"})

    async def test_wildcard(self) -> None:
        """*.example.com is every host below example.com, and not example.com itself."""
        forwarder = self.forwarder("*.Example.com", "127.0.0.2")
        self.names.addresses["b.a.example.com"] = ["127.0.0.2"]
        for host in ("a.example.com", "A.EXAMPLE.COM.", "b.a.example.com"):
            self.assertTrue(await self.allowed(forwarder, "moshez", host), host)
        for host in ("example.com", "aexample.com", "a.example.com.evil.example", ".example.com"):
            self.assertFalse(await self.allowed(forwarder, "moshez", host), host)

    async def test_hops(self) -> None:
        """Two hops in one query, and no more."""
        forwarder = self.forwarder("127.0.0.2")
        for user in ("", "moshez", "moshez@inside", "@inside"):
            self.assertTrue(await self.allowed(forwarder, user, "127.0.0.2"), user)
        for user in ("moshez@a@b", "@a@b", "moshez@", "@", "@@", "moshez@@a", "moshez@a b"):
            self.assertFalse(await self.allowed(forwarder, user, "127.0.0.2"), user)

    async def test_nonsense(self) -> None:
        """What can't be a host is refused like any other."""
        forwarder = self.forwarder("127.0.0.2", "*.example")
        for host in ("", ".", "x" * 64 + ".example", "x" * 300, "[", "..example", "%s%s"):
            self.assertFalse(await self.allowed(forwarder, "moshez", host), host)
        self.assertEqual(self.names.asked, [])

    async def test_notPublic(self) -> None:
        """
        A name that leads to an address of the inside is refused, as an unknown one is; the log
        tells the administrator why.
        """
        for ip in ("127.0.0.2", "::ffff:127.0.0.2", "10.0.0.1", "169.254.0.1", "fe80::1", "::"):
            forwarder = self.forwarder("friend.example")
            self.names.addresses["friend.example"] = [ip]
            with capturedLogs() as events:
                self.assertFalse(await self.allowed(forwarder, "moshez", "friend.example"), ip)
            self.assertEqual(
                notForwarding(events),
                [
                    "not forwarding to friend.example: its address "
                    f"{ip.removeprefix('::ffff:')} is not public: it must be named itself to be "
                    "forwarded to"
                ],
            )

    async def test_flood(self) -> None:
        """Who has the names of a domain can't fill the log with them, whatever they lead to."""
        written = WrittenLog(self, Limits(repeatsLogged=3))
        forwarder = self.forwarder("*.example.com")
        for number in range(20):
            host = f"h{number}.example.com"
            self.names.addresses[host] = [f"10.0.0.{number % 5}"]
            self.assertFalse(await self.allowed(forwarder, "moshez", host))
        lines = [line for line in written.lines() if line.startswith("not forwarding")]
        self.assertEqual(len(lines), 3)

    async def test_someNotPublic(self) -> None:
        """Of several addresses, those that are permitted are connected to."""
        forwarder = self.forwarder("friend.example", "127.0.0.2")
        inside = Upstream(upstreams.says(b"inside\r\n"))
        inside.listen(self, "127.0.0.3", self.port)
        self.names.addresses["friend.example"] = ["127.0.0.3", "127.0.0.2"]
        self.assertTrue(await self.allowed(forwarder, "moshez", "friend.example"))
        self.assertEqual(inside.requests, [])

    async def test_rebinding(self) -> None:
        """A DNS answer that changes after the check changes nothing: nobody asks again."""
        inside = Upstream(upstreams.says(b"inside\r\n"))
        inside.listen(self, "127.0.0.3", self.port)
        answers = iter((["127.0.0.2"], ["127.0.0.3"], ["127.0.0.3"]))

        def getaddrinfo(host: str, port: None, type: int) -> list[tuple[object, ...]]:
            self.names.addresses[host] = next(answers)
            return Names.getaddrinfo(self.names, host, port, type)

        self.names.getaddrinfo = getaddrinfo  # type: ignore[method-assign]
        forwarder = self.forwarder("friend.example", "127.0.0.2")
        self.assertTrue(await self.allowed(forwarder, "moshez", "friend.example"))
        self.assertEqual(self.names.asked, ["friend.example"])
        self.assertFalse(await self.allowed(forwarder, "moshez", "friend.example"))
        self.assertEqual(inside.requests, [])

    async def test_ourselves(self) -> None:
        """A daemon doesn't ask itself, though it was told to: neither by address nor by name."""
        for own in (
            IPv4Address("TCP", "127.0.0.2", self.port),
            IPv4Address("TCP", "0.0.0.0", self.port),
            IPv6Address("TCP", "::", self.port),
            IPv6Address("TCP", "::ffff:127.0.0.2", self.port),
        ):
            self.own = [UNIXAddress(b"/run/x"), own]
            for host in ("127.0.0.2", "friend.example"):
                forwarder = self.forwarder("127.0.0.2", "friend.example")
                with capturedLogs() as events:
                    self.assertFalse(await self.allowed(forwarder, "moshez", host), own)
                [line] = notForwarding(events)
                self.assertIn("is this daemon's own", line)

    async def test_notOurselves(self) -> None:
        """Another port of this machine, or another address, is another server."""
        forwarder = self.forwarder("127.0.0.2")
        for own in (
            IPv4Address("TCP", "127.0.0.2", self.port + 1),
            IPv4Address("TCP", "127.0.0.1", self.port),
            IPv6Address("TCP", "::1", self.port),
        ):
            self.own = [own]
            self.assertTrue(await self.allowed(forwarder, "moshez", "127.0.0.2"), own)

    async def test_unknownName(self) -> None:
        """A named host whose name has no address is a failure."""
        forwarder = self.forwarder("nohost.example")
        forwarded = forwarder.forward(Name("moshez", "nohost.example"), False)
        error = await self.assertFailure(forwarded, DirectoryError)
        self.assertIn("Name or service not known", str(error))


class PortTests(SynchronousTestCase):
    """Where hosts are asked."""

    def test_port(self) -> None:
        """It is port 79, at the address that was checked, unless it is ours."""
        memory = MemoryReactorClock()
        own: list[IAddress] = [IPv6Address("TCP", "::", 79)]
        forwarder = Forwarder(["192.0.2.1"], lambda: own, memory)
        self.assertNoResult(forwarder.forward(Name("moshez", "192.0.2.1"), False))
        [(host, port, *_)] = memory.tcpClients
        self.assertEqual((host, port), ("192.0.2.1", 79))

    def test_hosts(self) -> None:
        """What can't be a host can't be allowed; nor can everything."""
        for host in ("", "*", "*.", "*.*", "a.*.example", "a/b", "a@b", "192.0.2.0/24", "a:79"):
            self.assertRaises(ValueError, Forwarder, [host], list, MemoryReactorClock())


class PublicTests(SynchronousTestCase):
    """Which addresses are of the public internet."""

    def test_public(self) -> None:
        """Ordinary addresses are, also where IPv6 is only a way to reach IPv4."""
        for ip in (
            "8.8.8.8",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ):
            self.assertTrue(isPublic(ip_address(ip)), ip)

    def test_notPublic(self) -> None:
        """Those of one machine, one network, of many receivers or of nobody aren't."""
        for ip in (
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.168.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fe80::1%eth0",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ):
            self.assertFalse(isPublic(ip_address(ip)), ip)
