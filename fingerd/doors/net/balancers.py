"""Load balancers that are believed to say where a client is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress

from fingerd.system.addresses import ipAddress


@dataclass(frozen=True, slots=True)
class Balancers:
    """
    Who is believed to say where a client is.

    @ivar networks: where they are.
    @ivar unix: whether who connects to a UNIX socket is one.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    def __contains__(self, address: IAddress) -> bool:
        if isinstance(address, UNIXAddress):
            return self.unix
        ip = ipAddress(address)
        return ip is not None and self.listed(ip)

    def listed(self, ip: IPv4Address | IPv6Address) -> bool:
        """Whether the address is in one of the networks."""
        return any(ip in network for network in self.networks)


def parseBalancers(texts: Iterable[str]) -> Balancers:
    """
    What ``--proxy-from`` says: each is a network (``192.0.2.0/24``), an address, or ``unix``.

    @raise ValueError: when one is none of these, with what is wrong with it.
    """
    networks = []
    unix = False
    for text in texts:
        if text == "unix":
            unix = True
            continue
        try:
            network = ip_network(text)
        except ValueError as error:
            raise ValueError(f"{error}: it is a network, as 192.0.2.0/24, or unix") from None
        # Such clients are taken for the IPv4 clients they are, and would never be in it.
        if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
            raise ValueError(f"{text!r} is to be written as an IPv4 network")
        networks.append(network)
    return Balancers(tuple(networks), unix)
