"""Machines of a test's own, each a network namespace, and the networks that they are on."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from tests.support.daemon import PATIENCE, needs
from tests.support.network import Network

# The addresses of a machine on each of its networks, with the length of their prefix.
Links = Mapping[str, Sequence[str]]


class Machines:
    """
    They are there until the block ends. None of their networks has a name outside of this process:
    when it ends, however it does, they are gone.
    """

    def __init__(self, links: Mapping[str, Links]) -> None:
        """
        @param links: where each machine is, by what it is called.
        """
        needs("ip")
        self._links = links
        # What all cables lead to.
        self._switch = Network()
        self._machines = {name: Network() for name in links}

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            for network in (self._switch, *self._machines.values()):
                entered.enter_context(network)
            self._connect()
            self._entered = entered.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._entered.close()

    def __getitem__(self, name: str) -> Network:
        return self._machines[name]

    def cut(self, machine: str, network: str) -> None:
        """Pull a machine's cable out."""
        self._configure(self._switch, f"link set {_cable(machine, network)} down")

    def mend(self, machine: str, network: str) -> None:
        """Put it in again."""
        self._configure(self._switch, f"link set {_cable(machine, network)} up")

    def _connect(self) -> None:
        lines = []
        for network in {network for links in self._links.values() for network in links}:
            lines += [f"link add {network} type bridge", f"link set {network} up"]
        for name, links in self._links.items():
            for network in links:
                cable, pid = _cable(name, network), self._machines[name].pid
                lines += [
                    f"link add {cable} type veth peer name {network} netns {pid}",
                    f"link set {cable} master {network} up",
                ]
        self._configure(self._switch, *lines)
        for name, links in self._links.items():
            lines = []
            for network, addresses in links.items():
                lines += [f"address add {address} dev {network}" for address in addresses]
                lines += [f"link set {network} up"]
            self._configure(self._machines[name], *lines)

    def _configure(self, network: Network, *lines: str) -> None:
        network.run("ip", "-batch", "-", stdin="\n".join(lines).encode())


def _cable(machine: str, network: str) -> str:
    return f"{network}-{machine}"


def exchange(client: Network, source: str, server: tuple[str, int], request: bytes) -> bytes:
    """
    What a client is answered, who then closes.

    @param source: the address that it comes from.
    @raise OSError: where it isn't connected, or the connection is cut.
    """
    with client.connector() as connection:
        connection.settimeout(PATIENCE)
        # The port is chosen by where it goes: else as many as there are ports are too many.
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind((source, 0))
        connection.connect(server)
        connection.sendall(request)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer
