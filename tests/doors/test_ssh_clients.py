"""The ssh door with the other clients that people have: Dropbear's, PuTTY's, paramiko, asyncssh."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import pytest

from tests.doors.test_ssh import Shared
from tests.support.daemon import PATIENCE, needs
from tests.support.ssh import Said, say

pytestmark = pytest.mark.browsers


def convert(*command: str) -> None:
    """Run what makes a key of another form."""
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


class ClientTests(Shared):
    """Each sets a status, shows it, is told what is wrong, and gets no more than that."""

    def programs(self, *command: str) -> None:
        """Try a client that is a program, which C{command} begins."""

        def said(*words: str, stdin: bytes = b"") -> Said:
            return say([*command, *words], stdin)

        self.assertEqual(said("In a client").status, 0)
        self.assertEqual(self.daemon.status(), "In a client")
        shown = said("show")
        self.assertEqual((shown.status, shown.out), (0, "In a client\n"))
        self.assertEqual(said("set", "-", stdin="Está\n".encode()).status, 0)
        self.assertEqual(self.daemon.status(), "Está")
        wrong = said("set", "--for", "ever", "x")
        self.assertEqual((wrong.status, wrong.out), (2, ""))
        self.assertIn("is a time such as 90s", wrong.error)
        self.assertEqual(said("clear").status, 0)

    def test_dropbear(self) -> None:
        """Dropbear's dbclient."""
        needs("dbclient", "dropbearconvert")
        key, other = self.daemon.key("dropbear"), self.daemon.key("dropbear-wrong")
        convert("dropbearconvert", "openssh", "dropbear", self.daemon.key("moshez.key"), key)
        convert("dropbearconvert", "openssh", "dropbear", self.daemon.key("wrong.key"), other)
        client = ["dbclient", "-y", "-y", "-p", str(self.daemon.sshPort)]
        self.programs(*client, "-i", key, "moshez@127.0.0.1")
        self.assertEqual(say([*client, "-i", other, "moshez@127.0.0.1", "x"]).status, 1)
        self.assertEqual(say([*client, "-i", key, "radix@127.0.0.1", "x"]).status, 1)
        self.assertEqual(self.daemon.status(), "Happy and well")

    def test_putty(self) -> None:
        """PuTTY's plink, pscp and psftp."""
        needs("plink", "puttygen", "pscp", "psftp")
        key, other = self.daemon.key("putty.ppk"), self.daemon.key("putty-wrong.ppk")
        convert("puttygen", self.daemon.key("moshez.key"), "-O", "private", "-o", key)
        convert("puttygen", self.daemon.key("wrong.key"), "-O", "private", "-o", other)
        told = ["-batch", "-P", str(self.daemon.sshPort), "-hostkey", self.daemon.fingerprint]
        self.programs("plink", *told, "-i", key, "moshez@127.0.0.1")
        self.assertIn("set by one line", say(["plink", *told, "-i", key, "moshez@127.0.0.1"]).out)
        for refused in (
            ["plink", *told, "-i", other, "moshez@127.0.0.1", "x"],
            ["plink", *told, "-i", key, "radix@127.0.0.1", "x"],
            ["psftp", *told, "-i", key, "moshez@127.0.0.1"],
            ["pscp", *told, "-i", key, key, "moshez@127.0.0.1:there"],
            ["pscp", "-scp", *told, "-i", key, key, "moshez@127.0.0.1:there"],
        ):
            self.assertNotEqual(say(refused).status, 0, refused)
        self.assertEqual(self.daemon.status(), "Happy and well")

    def test_paramiko(self) -> None:
        """paramiko, with several commands in one connection."""
        import paramiko  # noqa: PLC0415

        def connected(login: str, key: str) -> Any:
            client = paramiko.SSHClient()
            self.addCleanup(client.close)
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect(
                "127.0.0.1",
                self.daemon.sshPort,
                login,
                key_filename=self.daemon.key(key),
                allow_agent=False,
                look_for_keys=False,
            )
            return client

        def said(client: Any, command: str, stdin: str = "") -> Said:
            given, out, error = client.exec_command(command)
            given.write(stdin)
            given.channel.shutdown_write()
            texts = out.read().decode(), error.read().decode()
            return Said(out.channel.recv_exit_status(), *texts)

        for key in ("moshez.key", "rsa.key", "p384.key"):
            client = connected("moshez", key)
            self.assertEqual(said(client, f"By {key}").status, 0)
            self.assertEqual(said(client, "show"), Said(0, f"By {key}\n", ""))
            self.assertEqual(said(client, "set -", "in\nlines").status, 0)
            self.assertEqual(said(client, "set --for ever x").status, 2)
            self.assertEqual(said(client, "clear").status, 0)
            with self.assertRaises(paramiko.SSHException):
                client.open_sftp()
            with self.assertRaises(paramiko.ChannelException):
                client.get_transport().open_channel("direct-tcpip", ("", 22), ("", 1))
            with self.assertRaises(paramiko.SSHException):
                client.get_transport().request_port_forward("", 0)
        for login, key in (("moshez", "wrong.key"), ("radix", "moshez.key")):
            with self.assertRaises(paramiko.AuthenticationException):
                connected(login, key)

    def test_asyncssh(self) -> None:
        """asyncssh, by each exchange of keys that there is, the one of today among them."""
        asyncio.run(self.asyncssh())

    async def asyncssh(self) -> None:
        """What asyncssh does."""
        import asyncssh  # noqa: PLC0415

        def connected(login: str, key: str, exchange: str = "curve25519-sha256") -> Any:
            return asyncssh.connect(
                "127.0.0.1",
                self.daemon.sshPort,
                username=login,
                client_keys=[self.daemon.key(key)],
                kex_algs=[exchange],
                known_hosts=None,
                config=None,
                agent_path=None,
            )

        for exchange in ("mlkem768x25519-sha256", "curve25519-sha256", "ecdh-sha2-nistp521"):
            async with connected("moshez", "moshez.key", exchange) as client:
                self.assertEqual((await client.run("In asyncssh")).exit_status, 0)
                self.assertEqual((await client.run("show")).stdout, "In asyncssh\n")
                self.assertEqual((await client.run("set -", input="in\nlines")).exit_status, 0)
                self.assertEqual((await client.run("set --for ever x")).exit_status, 2)
                self.assertEqual((await client.run("clear")).exit_status, 0)
                with self.assertRaises(asyncssh.ChannelOpenError):
                    await client.start_sftp_client()
                with self.assertRaises(asyncssh.ChannelOpenError):
                    await client.open_connection("127.0.0.1", 22)
                with self.assertRaises(asyncssh.ChannelListenError):
                    await client.forward_remote_port("", 0, "127.0.0.1", 1)
                with self.assertRaises(asyncssh.ChannelOpenError):
                    await client.run("show", request_pty=True, term_type="xterm")
        with self.assertRaises(asyncssh.KeyExchangeFailed):
            await connected("moshez", "moshez.key", "diffie-hellman-group14-sha256")
        for login, key in (("moshez", "wrong.key"), ("radix", "moshez.key")):
            with self.assertRaises(asyncssh.PermissionDenied):
                await connected(login, key)
