"""A real HAProxy before the finger port."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from fingerd.model.limits import DEFAULTS
from fingerd.model.user import User
from tests.doors.proxying import NotingFactory, Proxied, numberOf
from tests.doors.secure import Secure
from tests.doors.tls import End
from tests.support.daemon import PATIENCE, needs
from tests.support.ports import TIME, Directory, temporaryFolder, until
from tests.support.service import Finger

HAPPY = b"Happy and well\r\n"
# Where the clients are; the balancer itself is at 127.0.0.1.
HERE = "127.0.0.2"
BALANCER = "127.0.0.1"
_CONFIGURATION = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen finger
    bind fd@{descriptor}
    server daemon {server}
"""


class Balanced(Proxied):
    """A test with an HAProxy of its own."""

    def balance(self, server: str) -> int:
        """Let an HAProxy stand before ``server``, in HAProxy's words, and give its port."""
        needs("haproxy")
        configuration = Path(temporaryFolder(self)) / "haproxy.cfg"
        # The port is of the system's choice, which HAProxy has no word for.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            descriptor = listening.fileno()
            configuration.write_text(_CONFIGURATION.format(descriptor=descriptor, server=server))
            process = subprocess.Popen(
                ["haproxy", "-db", "-f", configuration],
                pass_fds=[descriptor],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.addCleanup(process.wait, PATIENCE)
            self.addCleanup(process.kill)
            port: int = listening.getsockname()[1]
            return port


def ask(port: int, query: bytes, halfClose: bool) -> tuple[bytes, str]:
    """What a client at C{HERE} is answered, and the address it had."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (HERE, 0)) as client:
        client.sendall(query)
        if halfClose:
            client.shutdown(socket.SHUT_WR)
        answer = b""
        while received := client.recv(65536):
            answer += received
        host, number = client.getsockname()
        return answer, f"{host}:{number}"


class HAProxyTests(Balanced):
    """The daemon sees the clients, in both versions, and they see the daemon."""

    async def test_clients(self) -> None:
        """Each client gets its answer, however it ends its query; its address is its own."""
        factory = self.noting()
        port = numberOf(await self.open(factory, f"{BALANCER}/32"))
        for option in "send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn":
            balancer = self.balance(f"127.0.0.1:{port} {option}")
            for query in b"moshez\r\n", b"moshez":
                halfClose = not query.endswith(b"\n")
                answer, address = await deferToThread(ask, balancer, query, halfClose)
                self.assertEqual(answer, HAPPY, option)
                self.assertEqual(factory.clients.pop(), address, option)
        self.assertEqual(factory.clients, [])

    async def test_slowAndLarge(self) -> None:
        """A large answer that takes its time comes whole to a client that sends no more."""

        def slow(login: str) -> Deferred[User | None]:
            return deferLater(TIME, 0.2, User, login, status="x" * 200_000)

        factory = NotingFactory(Finger(TIME, [Directory(slow)]), DEFAULTS)
        port = numberOf(await self.open(factory, f"{BALANCER}/32"))
        balancer = self.balance(f"127.0.0.1:{port} send-proxy-v2")
        for halfClose in False, True:
            answer, _ = await deferToThread(ask, balancer, b"moshez\r\n", halfClose)
            self.assertEqual(answer, b"x" * 200_000 + b"\r\n")

    async def test_unix(self) -> None:
        """HAProxy on the same machine may come by way of a UNIX socket."""
        path = f"{temporaryFolder(self)}/finger"
        factory = self.noting()
        await self.open(factory, "unix", endpoint=f"unix:{path}")
        balancer = self.balance(f"unix@{path} send-proxy-v2")
        answer, address = await deferToThread(ask, balancer, b"moshez\r\n", True)
        self.assertEqual(answer, HAPPY)
        self.assertEqual(factory.clients, [address])

    async def test_healthChecks(self) -> None:
        """HAProxy's checks find the daemon in health, and are the balancer's own connections."""
        factory = self.noting()
        port = numberOf(await self.open(factory, f"{BALANCER}/32"))
        checks = "check inter 50ms fastinter 50ms fall 1"
        balancer = self.balance(f"127.0.0.1:{port} send-proxy-v2 check-send-proxy {checks}")
        await until(lambda: len(factory.clients) > 2)
        self.assertTrue(all(client.startswith(BALANCER) for client in factory.clients))
        answer, address = await deferToThread(ask, balancer, b"moshez\r\n", True)
        self.assertEqual(answer, HAPPY)
        self.assertIn(address, factory.clients)

    async def test_withoutHeader(self) -> None:
        """An HAProxy that isn't told to send the header gets no answer for its clients."""
        factory = self.noting()
        port = numberOf(await self.open(factory, f"{BALANCER}/32"))
        balancer = self.balance(f"127.0.0.1:{port}")
        answer, _ = await deferToThread(ask, balancer, b"moshez\r\n", False)
        self.assertEqual(answer, b"")
        self.assertEqual(factory.clients, [])


class TLSTests(Balanced, Secure):
    """HAProxy before a TLS port."""

    async def test_header(self) -> None:
        """It leaves TLS to the daemon and sends its header first: every client is answered."""
        port = numberOf(await self.open(self.factory, f"{BALANCER}/32", endpoint=self.ssl))
        balancer = self.balance(f"127.0.0.1:{port} send-proxy-v2")
        for end in End:
            answer = await self.client(balancer, b"moshez\r\n", end)
            self.assertEqual(answer, HAPPY, end)
        self.assertEqual(len(self.factory.clients), len(End))

    async def test_toTLS(self) -> None:
        """It speaks TLS with the daemon for clients that don't, and hands their half-close on."""
        port = numberOf(await self.open(self.factory, f"{BALANCER}/32", endpoint=self.ssl))
        balancer = self.balance(f"127.0.0.1:{port} send-proxy-v2 ssl verify none")
        for halfClose in False, True:
            answer, address = await deferToThread(ask, balancer, b"moshez\r\n", halfClose)
            self.assertEqual(answer, HAPPY)
            self.assertEqual(self.factory.clients.pop(), address)
