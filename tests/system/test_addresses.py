"""Where to listen, and where a client is."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from fingerd.system.addresses import describe, everyInterface, ipAddress, isLocal
from tests.support.ports import Sockets


class EveryInterfaceTests(Sockets):
    """Where a port is open to everyone."""

    async def test_bothFamilies(self) -> None:
        """A port bound to every interface takes IPv4 clients, and IPv6 ones where there are any."""
        for interface in everyInterface():
            port = self.serve(interface=interface, moshez="Happy")
            host = "::1" if interface == "::" else "127.0.0.1"
            self.assertEqual(await self.ask(port, b"moshez\n", host=host), b"Happy\r\n")
            if everyInterface() == ["::"]:
                self.assertEqual(await self.ask(port, b"moshez\n"), b"Happy\r\n")


class AddressTests(SynchronousTestCase):
    """Where a client is."""

    def test_mapped(self) -> None:
        """An IPv4 client of an IPv6 socket is an IPv4 client."""
        address = IPv6Address("TCP", "::ffff:192.0.2.1", 5)
        self.assertEqual(ipAddress(address), ip_address("192.0.2.1"))

    def test_scoped(self) -> None:
        """A link-local address may carry its interface."""
        self.assertEqual(ipAddress(IPv6Address("TCP", "fe80::1%eth0", 5)), ip_address("fe80::1"))

    def test_local(self) -> None:
        """Loopback and UNIX sockets are this machine; nothing else is, nor what nobody knows."""
        for host in ("127.0.0.1", "127.255.0.1"):
            self.assertTrue(isLocal(IPv4Address("TCP", host, 5)), host)
        for host in ("::1", "::ffff:127.0.0.1"):
            self.assertTrue(isLocal(IPv6Address("TCP", host, 5)), host)
        self.assertTrue(isLocal(UNIXAddress(None)))
        for host in ("::2", "::ffff:10.0.0.1", "fe80::1"):
            self.assertFalse(isLocal(IPv6Address("TCP", host, 5)), host)
        self.assertFalse(isLocal(IPv4Address("TCP", "10.0.0.1", 5)))
        self.assertFalse(isLocal(None))
        self.assertFalse(isLocal(HostnameAddress(b"localhost", 5)))

    def test_describe(self) -> None:
        """Addresses are written as people write them."""
        self.assertEqual(describe(IPv4Address("TCP", "127.0.0.1", 79)), "127.0.0.1:79")
        self.assertEqual(describe(IPv6Address("TCP", "::1", 79)), "[::1]:79")
        self.assertEqual(describe(UNIXAddress(b"/run/finger")), "/run/finger")
