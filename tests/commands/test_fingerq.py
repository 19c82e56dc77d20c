"""The finger client for users: L{fingerd.commands.fingerq}, as a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fingerd.commands.fingerq import parser
from tests.support import upstreams
from tests.support.daemon import PATIENCE, ROOT
from tests.support.ports import TCP, Sockets
from tests.support.upstreams import Upstream

FINGERQ = (sys.executable, "-m", "fingerd.commands.fingerq")


@dataclass
class Ended:
    """What a program has said, and how it ended: its status, or minus a signal's number."""

    out: bytes
    error: bytes
    status: int


class Program(ProcessProtocol):
    """A program that runs."""

    def __init__(self) -> None:
        self.ended: Deferred[Ended] = Deferred()
        self._said: dict[int, bytes] = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._said[childFD] += data

    def processEnded(self, reason: Failure) -> None:
        value = reason.value
        status = 0 if isinstance(value, ProcessDone) else getattr(value, "exitCode", None)
        self.ended.callback(Ended(self._said[1], self._said[2], -1 if status is None else status))


class FingerqTests(Sockets):
    """fingerq asks real servers on loopback."""

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Program:
        program = Program()
        process = IReactorProcess(TCP)
        process.spawnProcess(
            program,
            sys.executable,
            [*FINGERQ, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **(environment or {})},
        )
        return program

    def run_(self, *arguments: str, **environment: str) -> Deferred[Ended]:
        return self.start(*arguments, environment=environment).ended

    async def test_user(self) -> None:
        """A user's status is printed, and nothing else."""
        port = self.serve(moshez="Happy and well")
        self.assertEqual(
            await self.run_("--port", str(port), "moshez@127.0.0.1"),
            Ended(b"Happy and well\n", b"", 0),
        )

    async def test_unknown(self) -> None:
        """That there is no such user is an answer."""
        port = self.serve(moshez="Happy and well")
        self.assertEqual(
            await self.run_("--port", str(port), "nobody@127.0.0.1"),
            Ended(b"No such user\n", b"", 0),
        )

    async def test_list(self) -> None:
        """Without a user the server's list is printed."""
        port = self.serve(moshez="Happy", acapnotic="Sad")
        ended = await self.run_("--port", str(port), "@127.0.0.1")
        self.assertEqual((ended.out, ended.error), (b"moshez     Happy\nacapnotic  Sad\n", b""))

    async def test_thisMachine(self) -> None:
        """Without a host it is this machine that is asked."""
        port = self.serve(moshez="Happy", interface="::")
        for target in (["moshez"], []):
            ended = await self.run_("--port", str(port), *target)
            self.assertEqual((ended.error, ended.status), (b"", 0))
            self.assertIn(b"Happy\n", ended.out)

    async def test_ipv6(self) -> None:
        """An IPv6 address is a host, with and without brackets."""
        port = self.serve(moshez="Happy", interface="::1")
        for target in ("moshez@::1", "moshez@[::1]"):
            ended = await self.run_("--port", str(port), target)
            self.assertEqual(ended, Ended(b"Happy\n", b"", 0))

    async def test_port(self) -> None:
        """A port may stand behind the host, and wins over --port."""
        for interface, host in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
            port = self.serve(moshez="Happy", interface=interface)
            ended = await self.run_("--port", "1", f"moshez@{host}:{port}")
            self.assertEqual(ended, Ended(b"Happy\n", b"", 0))

    async def test_requests(self) -> None:
        """-l asks for all there is; a host before the last one is for the last one to ask."""
        server = Upstream(upstreams.says(b"Happy\r\n"))
        port = str(server.listen(self))
        for arguments in (
            ["moshez@127.0.0.1"],
            ["-l", "moshez@127.0.0.1"],
            ["@127.0.0.1", "-l"],
            ["moshez@inside@127.0.0.1"],
            ["zoë@127.0.0.1"],
        ):
            await self.run_("--port", port, *arguments)
        self.assertEqual(
            server.requests,
            [
                b"moshez\r\n",
                b"/W moshez\r\n",
                b"/W\r\n",
                b"moshez@inside\r\n",
                "zoë\r\n".encode(),
            ],
        )

    async def test_several(self) -> None:
        """Several answers come in the order they were asked for, each under its name."""
        port = self.serve(moshez="Happy", acapnotic="Sad")
        targets = ["acapnotic@127.0.0.1", "moshez@127.0.0.1", "moshez@127.0.0.2"]
        ended = await self.run_("--port", str(port), *targets)
        self.assertEqual(
            ended,
            Ended(
                b"[acapnotic@127.0.0.1]\nSad\n[moshez@127.0.0.1]\nHappy\n",
                b"fingerq: moshez@127.0.0.2: connection refused\n",
                1,
            ),
        )

    async def test_many(self) -> None:
        """Any number of servers can be asked."""
        port = self.serve(moshez="Happy")
        ended = await self.run_("--port", str(port), *["moshez@127.0.0.1"] * 100)
        self.assertEqual(ended, Ended(b"[moshez@127.0.0.1]\nHappy\n" * 100, b"", 0))

    async def test_text(self) -> None:
        """UTF-8 is printed whole; what could drive the terminal is not."""
        said = "Zoë 😀 日本\r\n\x1b[2J\x07\x9b1m\u202e!\r\n".encode() + b"caf\xe9\r\n"
        port = Upstream(upstreams.says(said)).listen(self)
        ended = await self.run_("--port", str(port), "zoe@127.0.0.1", LC_ALL="C.UTF-8")
        self.assertEqual(ended.out.decode(), "Zoë 😀 日本\n[2J1m!\ncaf\ufffd\n")

    async def test_otherTerminal(self) -> None:
        """On a terminal that can't show all of it, the rest is shown."""
        port = Upstream(upstreams.says("Zoë 日\r\n".encode())).listen(self)
        ended = await self.run_("--port", str(port), "zoe@127.0.0.1", PYTHONIOENCODING="latin-1")
        self.assertEqual(ended, Ended(b"Zo\xeb ?\n", b"", 0))

    async def test_failures(self) -> None:
        """What goes wrong is said in one line, and by the exit status."""
        cases = (
            (upstreams.refusingPort(self), "connection refused"),
            (upstreams.deafPort(self), "no connection within 0.5 seconds"),
            (Upstream(upstreams.silent).listen(self), "no whole answer within 0.5 seconds"),
            (Upstream(upstreams.endless).listen(self), "more than 262144 bytes of answer"),
            (Upstream(upstreams.reset).listen(self), "connection lost after 0 bytes of answer"),
            (Upstream(upstreams.closing).listen(self), "closed without an answer"),
        )
        running = [
            self.run_(
                f"--timeout={0.5 if '0.5' in words else PATIENCE}",
                f"--port={port}",
                "zoe@127.0.0.1",
            )
            for port, words in cases
        ]
        for ending, (_, words) in zip(running, cases, strict=True):
            said = f"fingerq: zoe@127.0.0.1: {words}\n".encode()
            self.assertEqual(await ending, Ended(b"", said, 1))

    async def test_wrong(self) -> None:
        """A command line that makes no sense ends it with status 2, before anyone is asked."""
        ended = await self.run_("a\nb@127.0.0.1")
        self.assertEqual((ended.out, ended.status), (b"", 2))
        self.assertRegex(ended.error, rb"^usage: fingerq (?s:.*)control characters")

    async def test_help(self) -> None:
        """--help shows how it is used, with examples."""
        ended = await self.run_("--help")
        self.assertEqual((ended.error, ended.status), (b"", 0))
        for words in (b"examples:", b"fingerq moshez@example.com", b"--port", b"--timeout", b"-l"):
            self.assertIn(words, ended.out)

    async def test_interrupted(self) -> None:
        """Ctrl-C ends it at once, as it ends other programs."""
        server = Upstream(upstreams.silent)
        program = self.start("--port", str(server.listen(self)), "zoe@127.0.0.1")
        await server.asked.get()
        assert program.transport is not None
        program.transport.signalProcess("INT")
        self.assertEqual(await program.ended, Ended(b"", b"", 130))

    async def test_deadDNS(self) -> None:
        """A look-up that hangs doesn't keep it longer than it may take, not even to end."""
        program = Program()
        code = (
            "import socket, sys, time\n"
            "socket.getaddrinfo = lambda *_, **__: time.sleep(1000)\n"
            "sys.argv = ['fingerq', '--timeout', '0.2', 'zoe@host.example']\n"
            "from fingerd.commands.fingerq import main\n"
            "main()\n"
        )
        IReactorProcess(TCP).spawnProcess(
            program,
            sys.executable,
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        words = b"fingerq: zoe@host.example: no connection within 0.2 seconds\n"
        self.assertEqual(await program.ended, Ended(b"", words, 1))

    async def test_head(self) -> None:
        """A reader that has seen enough isn't answered with a traceback."""
        port = Upstream(upstreams.says(b"line\r\n" * 30000)).listen(self)
        program = Program()
        command = f"{' '.join(FINGERQ)} --port {port} @127.0.0.1 | head -n 1"
        IReactorProcess(TCP).spawnProcess(
            program,
            "/bin/sh",
            ["sh", "-c", command],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(await program.ended, Ended(b"line\n", b"", 0))


class ParserTests(SynchronousTestCase):
    """What the command line may say."""

    def test_wrong(self) -> None:
        """What makes no sense is refused in words."""
        for arguments, words in (
            (["zoe@"], "'' is not a host"),
            (["zoe@a..b"], "'a..b' is not a host"),
            ([f"zoe@{'x' * 64}"], "is not a host"),
            (["zoe@host:x"], "'x' is not a port"),
            (["zoe@host:0"], "'0' is not a port"),
            (["zoe@:79"], "'' is not a host"),
            (["a\nb@127.0.0.1"], "control characters"),
            (["\udcff@127.0.0.1"], "isn't UTF-8"),
            (["--port", "0", "x"], "'0' is not a port"),
            (["--port", "65536", "x"], "'65536' is not a port"),
            (["--port", "x", "x"], "'x' is not a port"),
            (["--timeout", "0", "x"], "'0' is not a number of seconds"),
            (["--timeout", "nan", "x"], "'nan' is not a number of seconds"),
            (["--timeout", "soon", "x"], "'soon' is not a number of seconds"),
            (["--nonsense"], "--nonsense"),
        ):
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                self.assertRaises(SystemExit, parser().parse_args, arguments)
            self.assertIn(words, said.getvalue())
