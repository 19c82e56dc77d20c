"""Other machines: L{fingerd.remote.hosts}."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from threading import Thread
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS
from fingerd.remote.client import query
from fingerd.remote.hosts import HostEndpoint, IPAddress, Resolver, canonicalHost, hostAndPort
from tests.support import upstreams
from tests.support.daemon import run
from tests.support.ports import TCP, TIME
from tests.support.upstreams import Names, Upstream

THREADS = cast(IReactorFromThreads, TCP)


class CanonicalHostTests(SynchronousTestCase):
    """What can be a host."""

    def test_names(self) -> None:
        """The same name is the same host, however it is written."""
        for text in ("example.com", "Example.COM", "example.com."):
            self.assertEqual(canonicalHost(text), "example.com")
        self.assertEqual(canonicalHost("MÜNCHEN.example"), "xn--mnchen-3ya.example")
        self.assertEqual(canonicalHost("my_host"), "my_host")
        self.assertEqual(canonicalHost("x" * 63 + ".example"), "x" * 63 + ".example")

    def test_addresses(self) -> None:
        """So is the same address."""
        self.assertEqual(canonicalHost("192.0.2.1"), "192.0.2.1")
        for text in ("[2001:DB8::1]", "2001:db8:0:0::1", "2001:db8::1"):
            self.assertEqual(canonicalHost(text), "2001:db8::1")
        self.assertEqual(canonicalHost("fe80::1%eth0"), "fe80::1%eth0")
        # What a name becomes is looked at, not what it was.
        self.assertEqual(canonicalHost("①②⑦.0.0.1"), "127.0.0.1")

    def test_nonsense(self) -> None:
        """What can't be a host is refused, and so never reaches the look-up, which would hang."""
        for text in (
            "",
            ".",
            "..",
            "a..b",
            ".example.com",
            "-x",
            "x y",
            "a/b",
            "a:79",
            "a@b",
            "x" * 64,
            "x" * 64 + ".example",
            "x." * 200 + "x",
            "[example.com]",
            "[::1",
            "fe80::1%a b",
            "*.example.com",
            "a\0b",
            "a\nb",
        ):
            self.assertRaises(ValueError, canonicalHost, text)

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """Any text is a host or a ValueError; a host stays what it is."""
        try:
            host = canonicalHost(text)
        except ValueError:
            return
        self.assertEqual(canonicalHost(host), host)
        self.assertTrue(host.isascii() and host.isprintable())

    def test_hostAndPort(self) -> None:
        """An IPv6 address stands in brackets before a port."""
        self.assertEqual(hostAndPort("example.com", 79), "example.com:79")
        self.assertEqual(hostAndPort("::1", 79), "[::1]:79")


class ResolverTests(TestCase):
    """Finding addresses; the names are the test's, the threads are real."""

    def setUp(self) -> None:
        self.names = Names({"host.example": ["192.0.2.1", "2001:db8::1"]})

    def resolver(self, atOnce: int = 4) -> Resolver:
        return Resolver(THREADS, replace(DEFAULTS, nameLookups=atOnce), self.names.getaddrinfo)

    async def test_found(self) -> None:
        """A host's addresses come in the system's order."""
        found = await self.resolver().lookUp("host.example")
        self.assertEqual(found, [ip_address("192.0.2.1"), ip_address("2001:db8::1")])

    async def test_literal(self) -> None:
        """An address isn't looked up."""
        self.assertEqual(await self.resolver().lookUp("::1"), [ip_address("::1")])
        self.assertEqual(self.names.asked, [])

    async def test_unknown(self) -> None:
        """A name without an address fails with the system's words."""
        lookup = self.resolver().lookUp("nohost.example")
        error = await self.assertFailure(lookup, DirectoryError)
        self.assertEqual(str(error), "looking up nohost.example: Name or service not known")

    async def test_anyFailure(self) -> None:
        """Whatever a look-up fails with, it ends."""
        self.names.addresses["host.example"] = ["not an address"]
        lookup = self.resolver().lookUp("host.example")
        await self.assertFailure(lookup, DirectoryError)

    async def test_noThread(self) -> None:
        """On a machine that can have no more threads, it is said that this is why."""

        def start(thread: Thread) -> None:
            raise RuntimeError("can't start new thread")

        self.patch(Thread, "start", start)
        lookup = self.resolver().lookUp("host.example")
        error = await self.assertFailure(lookup, DirectoryError)
        self.assertEqual(str(error), "no thread for a lookup: can't start new thread")

    async def test_shared(self) -> None:
        """One host is looked up once at a time."""
        resolver = self.resolver()
        self.names.answering.clear()
        lookups = [resolver.lookUp("host.example") for _ in range(20)]
        self.names.answering.set()
        for lookup in lookups:
            self.assertEqual(len(await lookup), 2)
        self.assertEqual(self.names.asked, ["host.example"])

    async def test_bounded(self) -> None:
        """
        As long as the DNS hangs, only so many threads wait for it, though those who asked have
        gone; when it is back, all is well.
        """
        resolver = self.resolver(atOnce=2)
        self.names.answering.clear()
        for name in ("a.example", "b.example"):
            lookup = resolver.lookUp(name)
            lookup.cancel()
            self.failureResultOf(lookup, CancelledError)
        failed = self.failureResultOf(resolver.lookUp("host.example"), DirectoryError)
        self.assertEqual(failed.getErrorMessage(), "busy: 2 lookups at work, 0 waiting")
        joined = resolver.lookUp("a.example")
        self.names.answering.set()
        await self.assertFailure(joined, DirectoryError)
        self.assertEqual(len(await resolver.lookUp("host.example")), 2)

    async def test_system(self) -> None:
        """By default it is the system that is asked; it knows localhost."""
        found = await Resolver(THREADS, DEFAULTS).lookUp("localhost")
        self.assertTrue(all(ip.is_loopback for ip in found), found)


class HostEndpointTests(TestCase):
    """Connecting to a host, over real connections on loopback."""

    def endpoint(self, port: int, *addresses: str) -> HostEndpoint:
        self.names = Names({"host.example": addresses})
        resolver = Resolver(THREADS, DEFAULTS, self.names.getaddrinfo)
        return HostEndpoint("host.example", port, TCP, resolver)

    async def test_connects(self) -> None:
        """The address that was found is connected to."""
        port = Upstream(upstreams.says(b"Happy\r\n")).listen(self, "127.0.0.2")
        endpoint = self.endpoint(port, "127.0.0.2")
        self.assertEqual(await query(endpoint, b"x\r\n", DEFAULTS, TIME), b"Happy\r\n")

    async def test_nextAddress(self) -> None:
        """A host of which one address doesn't answer is reached by the next."""
        port = Upstream(upstreams.says(b"Happy\r\n")).listen(self, "127.0.0.2")
        endpoint = self.endpoint(port, "::1", "127.0.0.3", "127.0.0.2")
        self.assertEqual(await query(endpoint, b"x\r\n", DEFAULTS, TIME), b"Happy\r\n")
        self.assertEqual(self.names.asked, ["host.example"])

    async def test_ipv6(self) -> None:
        """IPv6 is as good as IPv4."""
        port = Upstream(upstreams.says(b"Happy\r\n")).listen(self, "::1")
        endpoint = self.endpoint(port, "::1")
        self.assertEqual(await query(endpoint, b"x\r\n", DEFAULTS, TIME), b"Happy\r\n")

    async def test_chosen(self) -> None:
        """Only what was chosen of the addresses is connected to."""
        here = Upstream(upstreams.says(b"here\r\n"))
        port = here.listen(self, "127.0.0.2")
        there = Upstream(upstreams.says(b"there\r\n"))
        there.listen(self, "127.0.0.3", port)

        def choose(addresses: Sequence[IPAddress]) -> Sequence[IPAddress]:
            return [ip for ip in addresses if str(ip) == "127.0.0.3"]

        endpoint = self.endpoint(port, "127.0.0.2", "127.0.0.3")
        endpoint = replace(endpoint, choose=choose)
        self.assertEqual(await query(endpoint, b"x\r\n", DEFAULTS, TIME), b"there\r\n")
        self.assertEqual(here.requests, [])

    async def test_deadDNS(self) -> None:
        """A look-up that hangs is a connection that doesn't come."""
        endpoint = self.endpoint(79, "127.0.0.2")
        self.names.answering.clear()
        self.addCleanup(self.names.answering.set)
        limits = replace(DEFAULTS, upstreamConnectTime=0.05)
        asked = query(endpoint, b"x\r\n", limits, TIME)
        error = await self.assertFailure(asked, DirectoryError)
        self.assertEqual(str(error), "no connection within 0.05 seconds")

    def test_imports(self) -> None:
        """
        All that is needed to ask a host is imported at the start: later, as a lesser user, the
        daemon may not be able to read it.
        """
        code = """if True:
            import sys
            from twisted.internet import reactor, task
            from fingerd.directories.server import fromURL
            from fingerd.remote.forwarding import Forwarder
            from fingerd.model.errors import DirectoryError
            from fingerd.model.query import Name

            async def main(reactor):
                imported = set(sys.modules)
                for server in sys.argv[1:]:
                    try:
                        await fromURL(server, reactor).getUser("zoe")
                    except DirectoryError:
                        pass
                    else:
                        raise SystemExit("answered")
                forwarder = Forwarder(["localhost"], list, reactor)
                for host in ("localhost", "m\u00fcnchen.example", "::1", "[", "x" * 64):
                    if await forwarder.forward(Name("zoe", host), True) is not None:
                        raise SystemExit("forwarded")
                print(*sorted(set(sys.modules) - imported))

            task.react(main)
            """
        port = upstreams.refusingPort(self)
        said = run(
            sys.executable,
            "-c",
            code,
            f"finger://localhost:{port}",
            f"finger://127.0.0.1:{port}",
            f"finger://[::1]:{port}",
        )
        self.assertEqual(said, b"\n")

    def test_equal(self) -> None:
        """Two of the same host and port are the same, whoever made them."""
        self.assertEqual(self.endpoint(79), self.endpoint(79))
        self.assertEqual(hash(self.endpoint(79)), hash(self.endpoint(79)))
        self.assertNotEqual(self.endpoint(79), self.endpoint(80))
