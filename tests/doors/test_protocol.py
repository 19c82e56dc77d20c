"""The finger port, as clients meet it."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.model.limits import Limits
from fingerd.model.user import User
from fingerd.service.visit import State
from tests.support.ports import (
    TIME,
    Client,
    Directory,
    Sockets,
    cut,
    failing,
    inMemory,
    temporaryFolder,
    turn,
    until,
    visitsAt,
)
from tests.support.service import Finger

HAPPY = b"Happy and well\r\n"
NO_SUCH_USER = b"No such user\r\n"
DENIED = b"Finger forwarding service denied\r\n"
TOO_LONG = b"Query too long\r\n"


class LineTests(Sockets):
    """Where the request line ends, and what is in it."""

    async def test_lineEnds(self) -> None:
        """CR LF, LF, CR NUL and the half-close without any of them end the line alike."""
        port = self.serve(moshez="Happy and well")
        for end in (b"\r\n", b"\n", b"\r\0"):
            self.assertEqual((await self.ask(port, b"moshez" + end)), HAPPY, end)
        for end in (b"", b"\r", b"\n", b"\r\n"):
            answer = await self.ask(port, b"moshez" + end, halfClose=True)
            self.assertEqual(answer, HAPPY, end)

    async def test_segments(self) -> None:
        """Debian's finger writes the switch, the name and the line end one after the other."""
        port = self.serve(moshez="Happy and well")
        self.assertEqual((await self.ask(port, b"/W ", b"moshez", b"\r\n")), HAPPY)

    async def test_byteByByte(self) -> None:
        """A character at a time is as good as a line at once."""
        port = self.serve(moshez="Happy and well")
        line = b"moshez\r\n"
        answer = await self.ask(port, *(line[i : i + 1] for i in range(len(line))))
        self.assertEqual(answer, HAPPY)

    async def test_notBeforeTheLineEnds(self) -> None:
        """A name that may still go on isn't answered."""
        port = self.serve(mo="Wrong", moshez="Happy and well")
        self.assertEqual((await self.ask(port, b"mo", b"shez\r\n")), HAPPY)

    async def test_telnet(self) -> None:
        """What telnet negotiates before and in the line is dropped."""
        port = self.serve(moshez="Happy and well")
        line = b"\xff\xfb\x1f\xff\xfd\x03mos\xff\xf1hez\r\0"
        self.assertEqual((await self.ask(port, line)), HAPPY)

    async def test_whiteSpace(self) -> None:
        """White space around the name doesn't count, and a TAB is a space."""
        port = self.serve(moshez="Happy and well")
        for line in (b" moshez\r\n", b"moshez \r\n", b"\tmoshez\t\r\n"):
            self.assertEqual((await self.ask(port, line)), HAPPY, line)

    async def test_verbose(self) -> None:
        """/W before or behind the name, in any case, is no name."""
        port = self.serve(moshez="Happy and well")
        for line in (b"/W moshez\r\n", b"/w moshez\r\n", b"moshez /W\r\n", b"/X moshez\r\n"):
            self.assertEqual((await self.ask(port, line)), HAPPY, line)

    async def test_list(self) -> None:
        """An empty line, or /W alone, gives the list: a line for each user."""
        port = self.serve(moshez="Happy and well", radix="Writing")
        for line in (b"\r\n", b"/W\r\n", b"/W \r\n"):
            answer = await self.ask(port, line)
            self.assertEqual(answer, b"moshez  Happy and well\r\nradix   Writing\r\n", line)

    async def test_listByHalfClose(self) -> None:
        """A client that says nothing and closes its sending side gets the list."""
        port = self.serve(moshez="Happy and well")
        self.assertEqual((await self.ask(port, halfClose=True)), b"moshez  Happy and well\r\n")

    async def test_severalNames(self) -> None:
        """Several names are each answered in turn, under their names."""
        port = self.serve(moshez="Happy and well", radix="Writing")
        expected = b"[radix]\r\nWriting\r\n\r\n[nobody]\r\nNo such user\r\n\r\n[moshez]\r\n" + HAPPY
        for line in (b"radix nobody moshez\r\n", b"radix,nobody,moshez\r\n"):
            self.assertEqual((await self.ask(port, line)), expected, line)

    async def test_tooManyNames(self) -> None:
        """Of more than eight names, eight are answered and the others refused in words."""
        port = self.serve()
        eight = await self.ask(port, b"a b c d e f g h\r\n")
        self.assertEqual(eight.count(b"No such user"), 8)
        self.assertNotIn(b"Too many", eight)
        ten = await self.ask(port, b"a b c d e f g h i j\r\n")
        self.assertTrue(ten.startswith(eight))
        self.assertTrue(ten.endswith(b"\r\nToo many names in one query: 2 not answered\r\n"))

    async def test_forwarding(self) -> None:
        """Asking another host through this one is refused in the RFC's words."""
        port = self.serve(moshez="Happy and well")
        for line in (b"moshez@example.com\r\n", b"@example.com\r\n", b"/W a@h1@h2\r\n", b"a@\r\n"):
            self.assertEqual((await self.ask(port, line)), DENIED, line)

    async def test_longestLine(self) -> None:
        """A line of 512 bytes is read, however it ends."""
        port = self.serve()
        for end in (b"\r\n", b"\n", b"\r\0"):
            self.assertEqual((await self.ask(port, b"x" * 512 + end)), NO_SUCH_USER, end)
        self.assertEqual((await self.ask(port, b"x" * 512, halfClose=True)), NO_SUCH_USER)

    async def test_tooLongLine(self) -> None:
        """A line of 513 bytes is refused in words, whether it has ended or not."""
        port = self.serve()
        for line in (b"x" * 513 + b"\r\n", b"x" * 513 + b"\n", b"x" * 600, b"x" * 70000):
            self.assertEqual((await self.ask(port, line)), TOO_LONG, len(line))
        self.assertEqual((await self.ask(port, b"x" * 513, halfClose=True)), TOO_LONG)

    async def test_controlCharacters(self) -> None:
        """A name with control characters, or that isn't UTF-8, is nobody's and not sent back."""
        port = self.serve(moshez="Happy and well")
        for line in (b"mo\x1b[2Jshez\r\n", b"mo\0shez\n", b"\x7f\n", b"\xc3\n", b"moshez \x9b\n"):
            self.assertEqual((await self.ask(port, line)), NO_SUCH_USER, line)

    async def test_invisibleCharacters(self) -> None:
        """A name that would turn a terminal's text around isn't sent back as it came."""
        port = self.serve()
        answer = await self.ask(port, "\u202eevil\u2066 b\r\n".encode())
        self.assertEqual(answer, b"[evil]\r\nNo such user\r\n\r\n[b]\r\nNo such user\r\n")

    async def test_bytesAfterTheLine(self) -> None:
        """What scanners and browsers send behind the line doesn't cost them the answer."""
        port = self.serve(GET="A browser")
        for surplus in (b"\r\n", b"Host: example.com\r\n\r\n", b"x" * 200_000):
            client = await self.connect(port)
            client.transport.write(b"GET\r\n" + surplus)
            self.assertEqual((await client.closed), b"A browser\r\n")
            # No reset, which could have overtaken the answer.
            self.assertIs(client.reason.type, ConnectionDone)

    async def test_bytesAfterTheAnswer(self) -> None:
        """Nor does what comes when the answer is on its way, to a client that reads slowly."""
        status = "x" * 200_000
        port = self.serve(moshez=status)
        client = await self.connect(port)
        cast(IPushProducer, client.transport).pauseProducing()
        client.transport.write(b"moshez\r\n")
        present = visitsAt(self.factories[0])
        await until(lambda: any(visit.state is State.ANSWERED for visit in present))
        for _ in range(10):
            client.transport.write(b"more\r\n")
            await turn()
        cast(IPushProducer, client.transport).resumeProducing()
        self.assertEqual(await client.closed, status.encode() + b"\r\n")
        self.assertIs(client.reason.type, ConnectionDone)

    async def test_notUTF8InTheMiddle(self) -> None:
        """A byte that is in no text doesn't swallow the end of the line, half-close or not."""
        port = self.serve(moshez="Happy and well")
        for line in (b"moshez\xff\n", b"moshez\xff\r\n", b"\xff\n", b"mo\xffshez\n"):
            self.assertEqual(await self.ask(port, line), NO_SUCH_USER, line)

    async def test_endlessBytesAfterTheLine(self) -> None:
        """A client that never stops sending is cut off."""
        port = self.serve(limits=Limits(bytesAfterRequest=10_000), moshez="Happy and well")
        client = await self.connect(port)
        client.transport.write(b"moshez\r\n" + b"x" * 3_000_000)
        await client.closed
        self.assertIsNot(client.reason.type, ConnectionDone)

    async def test_onlyTheFirstLine(self) -> None:
        """A second line isn't looked up."""
        directory = Directory(lambda login: Deferred())
        port = self.serve(directory)
        client = await self.connect(port)
        client.transport.write(b"first\r\nsecond\r\n")
        await until(lambda: directory.asked)
        client.transport.write(b"third\r\n")
        await turn()
        client.transport.abortConnection()
        await client.closed
        self.assertEqual(directory.asked, ["first"])

    async def test_ipv6(self) -> None:
        """Over IPv6 the answers are the same."""
        port = self.serve(interface="::1", moshez="Happy and well")
        self.assertEqual((await self.ask(port, b"moshez\r\n", host="::1")), HAPPY)

    async def test_unixSocket(self) -> None:
        """So are they over a UNIX socket."""
        finger = Finger(TIME, moshez="Happy and well")
        path = str(temporaryFolder(self) / "socket")
        factory = finger.getFingerFactory()
        port = await UNIXServerEndpoint(reactor, path).listen(factory)
        self.addCleanup(finger.visits.drain)
        self.addCleanup(port.stopListening)
        for line in (b"moshez\r\n", b"moshez\r\nmore\r\n"):
            client = await UNIXClientEndpoint(reactor, path).connect(Factory.forProtocol(Client))
            client.transport.write(line)
            self.assertEqual((await client.closed), HAPPY)


class AnswerTests(Sockets):
    """What comes back, and when."""

    async def test_noUsers(self) -> None:
        """Without users everything is answered as in the talk: no such user."""
        port = self.serve()
        for line in (b"moshez\r\n", b"\r\n", b"root\r\n"):
            self.assertEqual((await self.ask(port, line)), NO_SUCH_USER, line)

    async def test_severalLines(self) -> None:
        """Every line of a status ends in CR LF, the last one too."""
        port = self.serve(radix="Writing\na web server\n")
        self.assertEqual((await self.ask(port, b"radix\n")), b"Writing\r\na web server\r\n")

    async def test_failingDirectory(self) -> None:
        """A lookup that fails is no "no such user"; the reason is in the log only."""
        port = self.serve(failing(RuntimeError("secret reason")))
        answer = await self.ask(port, b"moshez\r\n")
        error, reference = answer.removesuffix(b"\r\n").split(b"\r\n")
        self.assertEqual(error, b"Internal error in server")
        self.assertRegex(reference, rb"^Reference: [0-9a-f]{8}$")
        self.assertNotIn(b"secret", answer)
        [failure] = self.flushLoggedErrors(RuntimeError)
        self.assertEqual(failure.getErrorMessage(), "secret reason")

    async def test_directoryThatRaises(self) -> None:
        """A directory that raises at once is one that fails."""

        def answers(login: str) -> Deferred[User | None]:
            raise RuntimeError("not even a Deferred")

        port = self.serve(Directory(answers))
        answer = await self.ask(port, b"moshez\r\n")
        self.assertTrue(answer.startswith(b"Internal error in server\r\n"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_failureAmongSeveralNames(self) -> None:
        """One name that fails doesn't cost the others their answers."""

        def answers(login: str) -> Deferred[User | None]:
            if login == "bad":
                raise RuntimeError
            return cast("Deferred[User | None]", turn().addCallback(lambda _: None))

        port = self.serve(Directory(answers), moshez="Happy and well")
        answer = await self.ask(port, b"nobody bad moshez\r\n")
        self.assertTrue(answer.startswith(b"[nobody]\r\nNo such user\r\n\r\n[bad]\r\nInternal"))
        self.assertTrue(answer.endswith(b"[moshez]\r\n" + HAPPY))
        self.flushLoggedErrors(RuntimeError)

    async def test_halfClosedClientWaits(self) -> None:
        """A client that has closed its sending side gets an answer that comes later."""
        for line in (b"moshez\r\n", b"moshez"):
            directory = Directory(
                lambda login: deferLater(TIME, 1, User, login, status="A second later")
            )
            port = self.serve(directory)
            answer = await self.ask(port, line, halfClose=True)
            self.assertEqual(answer, b"A second later\r\n", line)

    async def test_clientGoesAway(self) -> None:
        """A client that goes away while its answer is looked up cancels the lookup."""
        cancelled: Deferred[None] = Deferred()
        looked: Deferred[User | None] = Deferred(lambda _: cancelled.callback(None))
        directory = Directory(lambda login: looked)
        port = self.serve(directory)
        client = await self.connect(port)
        client.transport.write(b"moshez\r\n")
        await until(lambda: directory.asked)
        client.transport.abortConnection()
        await cancelled
        self.assertEqual(self.flushLoggedErrors(CancelledError), [])

    async def test_clientOfSeveralGoesAway(self) -> None:
        """Then the lookups for all of the names are cancelled."""
        cancelled: list[object] = []
        directory = Directory(lambda login: Deferred(cancelled.append))
        port = self.serve(directory)
        client = await self.connect(port)
        client.transport.write(b"a b c\r\n")
        await until(lambda: len(directory.asked) == 3)
        client.transport.abortConnection()
        await until(lambda: len(cancelled) == 3)

    async def test_notifier(self) -> None:
        """A mail notifier that says its line and closes without reading does no harm."""
        port = self.serve(moshez="Happy and well")
        client = await self.connect(port)
        client.transport.write(b"nm_notifyuser\r\n")
        client.transport.loseConnection()
        await client.closed
        self.assertEqual((await self.ask(port, b"moshez\r\n")), HAPPY)


class DeadlineTests(SynchronousTestCase):
    """Nothing lasts for ever, whatever the client or a directory does."""

    def setUp(self) -> None:
        self.clock = Clock()

    def factory(self, directory: Directory) -> FingerFactory:
        return Finger(self.clock, [directory], moshez="Happy").getFingerFactory()

    def test_silentClient(self) -> None:
        """A client that never ends its line is cut off after 30 seconds in all."""
        factory = self.factory(Directory(lambda login: Deferred()))
        transport = inMemory(factory, [b"mos"], ends=False)
        self.clock.advance(29.9)
        self.assertFalse(transport.aborted)
        self.clock.advance(0.2)
        self.assertTrue(transport.aborted)

    def test_slowClient(self) -> None:
        """A byte every few seconds doesn't buy more time."""
        factory = self.factory(Directory(lambda login: Deferred()))
        transport = inMemory(factory, [], ends=False)
        for _ in range(10):
            transport.protocol.dataReceived(b"x")
            self.clock.advance(3)
        self.assertTrue(transport.aborted)

    def test_clientThatDoesNotRead(self) -> None:
        """A client that doesn't read its answer, or goes on sending, is cut off too."""
        factory = self.factory(Directory(lambda login: Deferred()))
        transport = inMemory(factory, [b"moshez\r\nmore"], ends=False)
        self.assertEqual(transport.value(), b"Happy\r\n")
        self.assertTrue(transport.halfClosed)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(30)
        self.assertTrue(transport.aborted)

    def test_clientThatClosesAfterTheAnswer(self) -> None:
        """A client that closes when it has its answer is let go at once."""
        factory = self.factory(Directory(lambda login: Deferred()))
        transport = inMemory(factory, [b"moshez\r\n"], ends=True)
        self.assertTrue(transport.halfClosed)
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.aborted)

    def test_slowLookup(self) -> None:
        """A lookup that takes too long is refused in words before 5 seconds are over."""
        cancelled: list[object] = []
        factory = self.factory(Directory(lambda login: Deferred(cancelled.append)))
        transport = inMemory(factory, [b"radix\r\n"], ends=False)
        self.clock.advance(4.4)
        self.assertEqual(transport.value(), b"")
        self.clock.advance(0.1)
        self.assertTrue(transport.value().startswith(b"Internal error in server\r\n"))
        self.assertEqual(len(cancelled), 1)

    def test_quickLookupsCostNoTimer(self) -> None:
        """An answer that is at hand takes no timer beyond the connections' one."""
        factory = self.factory(Directory(lambda login: Deferred()))
        for _ in range(10):
            inMemory(factory, [b"moshez\r\n"], ends=False)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)


class SplitTests(SynchronousTestCase):
    """How the bytes are cut into segments changes nothing."""

    @given(
        st.one_of(
            st.binary(max_size=100),
            st.lists(
                st.sampled_from(
                    [
                        b"moshez",
                        b"/W",
                        b" ",
                        b",",
                        b"@",
                        b"\r",
                        b"\n",
                        b"\0",
                        b"\xff",
                        b"\xfb",
                        b"x" * 511,
                    ]
                ),
                max_size=12,
            ).map(b"".join),
        ),
        st.lists(st.integers(min_value=0), max_size=6),
        st.booleans(),
    )
    def test_anySplit(self, data: bytes, places: list[int], ends: bool) -> None:
        """Any bytes in any segments get the answer they get in one piece."""
        factory = Finger(Clock(), moshez="Happy and well").getFingerFactory()
        whole = inMemory(factory, [data], ends)
        for segments in (cut(data, places), cut(data, list(range(len(data))))):
            split = inMemory(factory, segments, ends)
            self.assertEqual(split.value(), whole.value())
        self.assertTrue(whole.value().endswith(b"\r\n") or not ends)


class DrainTests(Sockets):
    """A daemon that stops finishes what it has begun."""

    async def test_answerInFlight(self) -> None:
        """An answer that is being looked up is still sent, and then stopping is done."""
        looked: Deferred[User | None] = Deferred()
        directory = Directory(lambda login: looked)
        finger = Finger(TIME, [directory])
        port = self.listen(finger.getFingerFactory())
        finger.startService()
        client = await self.connect(port)
        client.transport.write(b"moshez\r\n")
        while not directory.asked:
            await turn()
        closed, stopped = self.shut(), finger.stopService()
        await turn()
        self.assertFalse(stopped.called)
        looked.callback(User("moshez", status="Just in time"))
        self.assertEqual((await client.closed), b"Just in time\r\n")
        await closed
        await stopped

    async def test_silentClients(self) -> None:
        """Clients that have asked nothing don't hold it up for long."""
        finger = Finger(TIME, (), None, Limits(stopSilence=0.01))
        port = self.listen(finger.getFingerFactory())
        finger.startService()
        client = await self.connect(port)
        client.transport.write(b"mos")
        await turn()
        closed, stopped = self.shut(), finger.stopService()
        await closed
        await stopped
        await client.closed
        self.assertEqual(client.received, b"")
