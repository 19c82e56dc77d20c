"""
The ssh door with the clients that people have: OpenSSH's, Dropbear's, PuTTY's, paramiko, asyncssh.
"""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any, ClassVar, NamedTuple

import pytest

from tests.doors.test_ssh import Shared
from tests.support.daemon import PATIENCE, needs
from tests.support.ssh import Said, say

pytestmark = pytest.mark.browsers


class Verb(NamedTuple):
    """
    A command, with what it is given, and what comes of it: the exit status, and what is written on
    standard output, or on standard error. There the client may write something of its own, too.
    """

    command: str
    out: str = ""
    given: str = ""
    status: int = 0
    error: str = ""


ERASED = "moshez: all that was set is erased, the history included\n"
# Every verb that there is, and what is refused, one after the other.
VERBS = (
    Verb("erase", ERASED),
    Verb("show", "Happy and well\n"),
    Verb("Writing", "moshez: Writing\n"),
    Verb("set --for 2h At lunch", "moshez: At lunch, until [-: 0-9]+; before it: Writing\n"),
    Verb("show", "At lunch\n"),
    Verb("undo", "moshez: Writing; before it: At lunch, until [-: 0-9]+\n"),
    Verb("set show", "moshez: show; before it: Writing\n"),
    Verb("set -", "moshez: Está en casa; before it: show\n", "Está\nen casa\n"),
    Verb("show", "Está\nen casa\n"),
    Verb("clear", "moshez: no status set; before it: Está en casa\n"),
    Verb("plan", "moshez: plan: To write\n", "To write\n"),
    Verb("project A web server", "moshez: project: A web server\n"),
    Verb("show", "(?s:.*)Project: A web server\n(?s:.*)Plan:\nTo write\n"),
    Verb("plan clear", "moshez: no plan set; before it: plan: To write\n"),
    Verb("project clear", "moshez: no project set; before it: project: A web server\n"),
    Verb("hide", "moshez: hidden\n"),
    Verb("show", "No such user\n"),
    Verb("unhide", "moshez: shown; before it: hidden\n"),
    Verb("show", "Happy and well\n"),
    Verb("public-history", "moshez: the history is public\n"),
    Verb("private-history", "moshez: the history is private; before it: the history is public\n"),
    Verb("undo", "moshez: the history is public\n"),
    Verb("history", r"[-: 0-9]{16}  the history is public \(moshez\)\n(.+ \(moshez\)\n){10}"),
    Verb("erase", ERASED),
    Verb("history"),
    Verb("undo", status=1, error="Not set: there is nothing to take back\n"),
    Verb("help", "What finger shows of you is set by one line:\n(?s:.*)"),
    Verb("x" * 1025, status=1, error="Not set: a status has 1024 bytes at most\n"),
    Verb("set --for 999d x", status=1, error="Not set: a status lasts from 1s to 366d\n"),
    Verb("set --for ever x", status=2, error="is a time such as 90s"),
    Verb("plan", status=2, error="standard input is empty"),
    Verb("ls", status=2, error="ls is no command here"),
)


def convert(*command: str) -> None:
    """Run what makes a key of another form."""
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


class ClientTests(Shared):
    """Each says all that there is to say, is told what is wrong, and gets no more than that."""

    # Together they set more in a minute than one user does.
    OPTIONS: ClassVar[tuple[str, ...]] = ("--limit=userSettings=1000",)

    def verb(self, verb: Verb, said: Said) -> None:
        """Whether what a client was told is what C{verb} comes to."""
        self.assertEqual(said.status, verb.status, (verb, said))
        self.assertRegex(said.out, rf"\A(?:{verb.out})\Z", verb)
        self.assertIn(verb.error, said.error, verb)

    def programs(self, *command: str) -> None:
        """Try a client that is a program, which C{command} begins."""

        def said(*words: str, stdin: bytes = b"") -> Said:
            return say([*command, *words], stdin)

        for verb in VERBS:
            self.verb(verb, said(verb.command, stdin=verb.given.encode()))

    def test_openssh(self) -> None:
        """OpenSSH's ssh."""
        self.programs("ssh", *self.daemon.options("moshez.key"), "moshez@127.0.0.1")

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
            for verb in VERBS if key == "moshez.key" else VERBS[:5]:
                self.verb(verb, said(client, verb.command, verb.given))
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
                for verb in VERBS if exchange == "curve25519-sha256" else VERBS[:5]:
                    # (It leaves standard input open where it is given no text.)
                    given = {"input": verb.given} if verb.given else {"stdin": asyncssh.DEVNULL}
                    done = await client.run(verb.command, **given)
                    self.verb(verb, Said(done.exit_status, done.stdout, done.stderr))
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
