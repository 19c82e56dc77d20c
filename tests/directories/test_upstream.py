"""Another finger server as a directory: L{fingerd.directories.server}."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fingerd.directories.server import UpstreamServer, fromURL
from fingerd.model.errors import DirectoryError
from fingerd.model.interfaces import IVerboseDirectory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from fingerd.remote.hosts import Resolver
from tests.support import upstreams
from tests.support.daemon import ROOT, needs
from tests.support.ports import TCP, Directory, Sockets, failing
from tests.support.upstreams import Behaviour, Names, Upstream

INETD = ROOT / "tests" / "support" / "inetd.py"


class Servers(Sockets):
    """A test with a directory in front of a server on loopback."""

    def directory(self, port: int, limits: Limits = DEFAULTS) -> UpstreamServer:
        return UpstreamServer("127.0.0.1", port, TCP, limits)

    def saying(self, *lines: str) -> UpstreamServer:
        """A directory in front of a server that always says this."""
        said = "".join(f"{line}\r\n" for line in lines).encode()
        return self.directory(Upstream(upstreams.says(said)).listen(self))


class AnswerTests(Servers):
    """What becomes of a server's answers."""

    def test_interface(self) -> None:
        """It is a directory that has more to tell on /W."""
        verifyObject(IVerboseDirectory, self.directory(79))

    async def test_daemon(self) -> None:
        """Another of these daemons is asked for its users, and for its list."""
        port = self.serve(moshez="Happy\nand well", acapnotic="Zoë says hi")
        directory = self.directory(port)
        self.assertEqual(
            await directory.getUser("moshez"), User("moshez", report="Happy\nand well")
        )
        self.assertEqual(
            await directory.getUser("acapnotic"), User("acapnotic", report="Zoë says hi")
        )
        self.assertIsNone(await directory.getUser("nobody"))
        [listed] = await directory.getUsers(10)
        self.assertEqual(listed.login, f"127.0.0.1:{port}")
        self.assertIn("moshez", listed.report)
        self.assertIn("acapnotic", listed.report)

    async def test_nextDirectory(self) -> None:
        """A user whom the other server doesn't know is looked for in the next directory."""
        directory = self.directory(self.serve(moshez="Happy"))
        port = self.serve(directory, self.directory(self.serve(zoe="Elsewhere")))
        self.assertEqual(await self.ask(port, b"nobody\r\n"), b"No such user\r\n")
        users = self.serve(directory, failing(DirectoryError("asked")))
        self.assertIn(b"Internal error", await self.ask(users, b"nobody\r\n"))

    async def test_verbose(self) -> None:
        """/W travels on where more is asked for, and only there."""
        server = Upstream(upstreams.says(b"All there is\r\n"))
        directory = self.directory(server.listen(self))
        for ask in (
            directory.getUser,
            directory.getVerboseUser,
        ):
            await ask("moshez")
        for list_ in (directory.getUsers, directory.getVerboseUsers):
            await list_(1)
        self.assertEqual(server.requests, [b"moshez\r\n", b"/W moshez\r\n", b"\r\n", b"/W\r\n"])

    async def test_noRoom(self) -> None:
        """Where nothing more can be listed, the server isn't asked."""
        directory = self.directory(upstreams.refusingPort(self))
        self.assertEqual(await directory.getUsers(0), [])

    def test_label(self) -> None:
        """On the usual port, a server's list stands under the server's name alone."""
        memory = MemoryReactorClock()
        listed = UpstreamServer("2001:DB8::1", 79, memory).getUsers(1)
        [(host, port, factory, *_)] = memory.tcpClients
        self.assertEqual((host, port), ("2001:db8::1", 79))
        connection = cast(Protocol, factory.buildProtocol(IPv6Address("TCP", host, port)))
        connection.makeConnection(StringTransport())
        connection.dataReceived(b"No one logged on.\r\n")
        connection.connectionLost(Failure(ConnectionDone()))
        user = User("2001:db8::1", report="No one logged on.")
        self.assertEqual(self.successResultOf(listed), [user])

    async def test_emptyList(self) -> None:
        """A server whose list is empty isn't listed, as if it were a user."""
        server = Upstream(upstreams.says(b"\r\n \r\n"))
        port = self.serve(self.directory(server.listen(self)), moshez="Happy")
        self.assertEqual(await self.ask(port, b"\r\n"), b"moshez  Happy\r\n")

    async def test_noAddress(self) -> None:
        """A server whose name has no address has failed."""
        names = Names({})
        resolver = Resolver(cast(IReactorFromThreads, TCP), DEFAULTS, names.getaddrinfo)
        server = UpstreamServer("Internal.Example.", 79, TCP, DEFAULTS, resolver)
        error = await self.assertFailure(server.getUsers(1), DirectoryError)
        self.assertEqual(
            str(error),
            "finger://internal.example:79: looking up internal.example: Name or service not known",
        )

    async def test_noSuchUser(self) -> None:
        """The ways in which servers say that there is no such user are known."""
        for said in (
            ["No such user"],
            ["No such user."],
            ["finger: zoe: no such user."],
            ["finger: zoe: no such user"],
            ["Login name: zoe       \t\t\tIn real life: ???"],
            ["", "finger: zoe: no such user.", ""],
            ["", "Welcome to Linux version 6.1 at host !", "", " up 1 day", "", "No such user"],
        ):
            self.assertIsNone(await self.saying(*said).getUser("zoe"), said)

    async def test_plan(self) -> None:
        """A user isn't taken for unknown because their plan says so."""
        for said in (
            ["Login: zoe", "Plan:", "finger: zoe: no such user."],
            ["Plan:", "Welcome to my plan", "No such user"],
            ["No such user", "is what they said"],
            ["I am no such user"],
        ):
            user = await self.saying(*said).getUser("zoe")
            self.assertEqual(user, User("zoe", report="\n".join(said)))

    async def test_serverFails(self) -> None:
        """That the server says it failed is no answer."""
        port = self.serve(failing(DirectoryError("the reason")))
        with capturedLogs() as events:
            error = await self.assertFailure(self.directory(port).getUser("zoe"), DirectoryError)
        [reason] = [event for event in events if "the reason" in str(formatEvent(event))]
        self.assertIn("it says 'Internal error in server", str(error))
        # So the two logs can be brought together.
        self.assertIn(reason["reference"], str(error))

    async def test_notText(self) -> None:
        """Bytes that aren't UTF-8 don't cost the rest of the answer."""
        port = Upstream(upstreams.says(b"Andr\xe9 is \xff here\r\n")).listen(self)
        user = await self.directory(port).getUser("andre")
        self.assertEqual(user, User("andre", report="Andr\ufffd is \ufffd here"))

    async def test_large(self) -> None:
        """The largest answer there may be, made to be hard to read, is read at once."""
        said = b"Welcome to \r\n" + b"finger: x: no such user" * 100 + b"\r\n" * 100
        said += b"No such user\r\n" * ((DEFAULTS.upstreamSize - len(said)) // 14 - 1) + b"x\r\n"
        directory = self.directory(Upstream(upstreams.says(said)).listen(self))
        user = await directory.getUser("x")
        assert user is not None
        self.assertEqual(user.report.rpartition("\n")[2], "x")


class FailureTests(Servers):
    """A daemon in front of a server that fails: what its clients see, and its log."""

    async def failing(self, port: int, words: str, limits: Limits = DEFAULTS) -> None:
        daemon = self.serve(self.directory(port, limits))
        with capturedLogs() as events:
            answer = await self.ask(daemon, b"zoe\r\n")
        self.assertRegex(answer, b"^Internal error in server\r\nReference: [0-9a-f]{8}\r\n$")
        [line] = filter(None, map(self.line, events))
        self.assertTrue(
            line.startswith(f"looking up 'zoe': finger://127.0.0.1:{port}: {words} (reference "),
            line,
        )

    def line(self, event: LogEvent) -> str | None:
        # Not those of the test's own servers.
        namespace = str(event["log_namespace"])
        ours = ("fingerd.", "twisted.internet.endpoints.", "tests.support.service.")
        return formatEvent(event) if namespace.startswith(ours) else None

    async def behaving(self, behaviour: Behaviour, words: str, limits: Limits = DEFAULTS) -> None:
        server = Upstream(behaviour)
        await self.failing(server.listen(self), words, limits)
        await server.lost.get()

    async def test_down(self) -> None:
        """Its server is down: the client is told at once that there is an error, no more."""
        await self.failing(upstreams.refusingPort(self), "connection refused")

    async def test_silent(self) -> None:
        """Its server says nothing: the same, in time."""
        limits = replace(DEFAULTS, upstreamTime=0.1)
        await self.behaving(upstreams.silent, "no whole answer within 0.1 seconds", limits)

    async def test_endless(self) -> None:
        """Its server never stops."""
        await self.behaving(upstreams.endless, "more than 262144 bytes of answer")

    async def test_reset(self) -> None:
        """Its server breaks the connection."""
        await self.behaving(upstreams.reset, "connection lost after 0 bytes of answer")

    async def test_slow(self) -> None:
        """Its server is too slow: half of its answer is not passed for the whole."""
        limits = replace(DEFAULTS, upstreamTime=0.1)
        words = "no whole answer within 0.1 seconds"
        await self.behaving(upstreams.dribbling(b"x" * 9999), words, limits)

    async def test_closing(self) -> None:
        """Its server closes without a word."""
        await self.behaving(upstreams.closing, "closed without an answer")

    async def test_unreachable(self) -> None:
        """Its server can't be reached."""
        limits = replace(DEFAULTS, upstreamConnectTime=0.1)
        port = upstreams.deafPort(self)
        await self.failing(port, "no connection within 0.1 seconds", limits)

    async def test_clientGone(self) -> None:
        """A client that goes away ends the query to the server."""
        server = Upstream(upstreams.silent)
        daemon = self.serve(self.directory(server.listen(self)))
        client = await self.connect(daemon)
        client.transport.write(b"zoe\r\n")
        await server.asked.get()
        client.transport.abortConnection()
        await server.lost.get()

    async def test_ourselves(self) -> None:
        """A daemon that was told to ask itself doesn't go round in circles."""
        itself: UpstreamServer | None = None

        def askItself(login: str) -> Deferred[User | None]:
            assert itself is not None
            return itself.getUser(login)

        asking = Directory(askItself)
        daemon = self.serve(asking)
        itself = self.directory(daemon, replace(DEFAULTS, upstreamTime=0.1))
        with capturedLogs() as events:
            answer = await self.ask(daemon, b"zoe\r\n")
        self.assertRegex(answer, b"^Internal error in server\r\n")
        # Itself, and itself once more; both fail for the same reason.
        self.assertEqual(asking.asked, ["zoe", "zoe"])
        self.assertEqual(len({line for line in map(self.line, events) if line}), 1)

    async def test_crowd(self) -> None:
        """Many clients that ask the same at once are all answered by one query."""
        server = Upstream(upstreams.silent)
        limits = Limits(peerLookups=50)
        daemon = self.serve(self.directory(server.listen(self)), limits=limits)
        asked = [await self.connect(daemon) for _ in range(50)]
        for client in asked:
            client.transport.write(b"zoe\r\n")
        transport = await server.asked.get()
        # All of them have been read before the server answers.
        await self.ask(self.serve(zoe="x"), b"zoe\r\n")
        upstreams.says(b"No such user\r\n")(transport)
        for client in asked:
            self.assertEqual(await client.closed, b"No such user\r\n")
        self.assertEqual(server.requests, [b"zoe\r\n"])


class InFingerdTests(Servers):
    """Debian's in.fingerd, with the accounts of this machine."""

    def start(self, *arguments: str) -> UpstreamServer:
        needs("in.fingerd", "finger")
        inetd = subprocess.Popen(
            [sys.executable, str(INETD), "in.fingerd", *arguments], stdout=subprocess.PIPE
        )
        assert inetd.stdout is not None
        self.addCleanup(inetd.stdout.close)
        self.addCleanup(inetd.wait)
        self.addCleanup(inetd.kill)
        return self.directory(int(inetd.stdout.readline()))

    async def test_user(self) -> None:
        """A user of the machine is reported in finger(1)'s form, verbosely too."""
        directory = self.start()
        for ask in (directory.getUser, directory.getVerboseUser):
            user = await ask("root")
            assert user is not None
            self.assertRegex(user.report, r"^Login: root\s+Name: root\n(?s:.*)Shell: ")

    async def test_list(self) -> None:
        """Its list is a report."""
        [listed] = await self.start().getUsers(1)
        self.assertRegex(listed.report, r"^(No one logged on\.|Login\s+Name)")

    async def test_unknown(self) -> None:
        """Whom it doesn't know, the next directory may."""
        self.assertIsNone(await self.start().getUser("nosuchuser"))

    async def test_unknownAfterGreeting(self) -> None:
        """So also where it greets first."""
        directory = self.start("-w")
        self.assertIsNone(await directory.getUser("nosuchuser"))
        user = await directory.getUser("root")
        assert user is not None
        self.assertIn("Login: root", user.report)

    async def test_list_refused(self) -> None:
        """That it doesn't list its users is what there is to report."""
        [listed] = await self.start("-u").getUsers(1)
        self.assertEqual(listed.report, "Please supply a username")


class URLTests(SynchronousTestCase):
    """What names a server."""

    def test_urls(self) -> None:
        """A host, with or without a port; an IPv6 address in brackets."""
        for url, shown in (
            ("finger://internal.example.com", "finger://internal.example.com:79"),
            ("finger://internal.example.com/", "finger://internal.example.com:79"),
            ("Finger://Internal.Example.COM.:7979", "finger://internal.example.com:7979"),
            ("//internal.example.com:7979", "finger://internal.example.com:7979"),
            ("finger://192.0.2.1:79", "finger://192.0.2.1:79"),
            ("finger://[2001:db8::1]", "finger://[2001:db8::1]:79"),
            ("finger://[2001:DB8::1]:7979", "finger://[2001:db8::1]:7979"),
        ):
            self.assertEqual(str(fromURL(url, TCP)), shown)

    def test_nonsense(self) -> None:
        """What names no server is said to name none."""
        for url in (
            "",
            "finger:",
            "finger://",
            "finger:///",
            "finger://:79",
            "finger://host:",
            "finger://host:0",
            "finger://host:65536",
            "finger://host:seven",
            "finger://host:79:79",
            "finger://user@host",
            "finger://host/user",
            "finger://host?x",
            "finger://2001:db8::1",
            "finger://[host]",
            "finger://[::1",
            "finger://ho st",
            "finger://host\n",
            "http://host",
            f"finger://{'x' * 64}",
        ):
            error = self.assertRaises(ValueError, fromURL, url, TCP)
            self.assertTrue(str(error), url)

    @given(
        st.lists(
            st.sampled_from(["finger:", "//", "[", "]", "::1", ":", "79", "/", "a.example", "@"])
            | st.text(max_size=2)
        ).map("".join)
    )
    def test_anything(self, url: str) -> None:
        """Any text names a server, which is then called by a URL of its own, or it names none."""
        try:
            shown = str(fromURL(url, TCP))
        except ValueError as error:
            self.assertTrue(str(error).isprintable())
            return
        self.assertEqual(str(fromURL(shown, TCP)), shown)
        self.assertTrue(shown.isascii() and shown.isprintable())
