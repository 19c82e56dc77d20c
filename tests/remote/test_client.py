"""Asking another finger server: L{fingerd.remote.client}."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS
from fingerd.remote.client import FingerClient, FingerQueries, answerText, query, requestLine
from fingerd.text.cleaning import clean
from tests.support import upstreams
from tests.support.ports import TCP, TIME, Sockets, cut, turn
from tests.support.upstreams import Upstream


class _OverSocket(StringTransport):
    """A transport in memory that has a real socket to show."""

    aborted = False

    def __init__(self, handle: socket.socket) -> None:
        super().__init__()
        self._handle = handle

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()

    def getHandle(self) -> socket.socket:
        return self._handle


class RequestLineTests(SynchronousTestCase):
    """What is sent."""

    def test_forms(self) -> None:
        """A user, the list, both with /W, and a forwarding are asked for as RFC 1288 has it."""
        self.assertEqual(requestLine("moshez"), b"moshez\r\n")
        self.assertEqual(requestLine(""), b"\r\n")
        self.assertEqual(requestLine("moshez", True), b"/W moshez\r\n")
        self.assertEqual(requestLine("", True), b"/W\r\n")
        self.assertEqual(requestLine("moshez@inside", True), b"/W moshez@inside\r\n")
        self.assertEqual(requestLine("zoë"), "zoë\r\n".encode())

    def test_smuggling(self) -> None:
        """A name can't end the line and begin another one."""
        for name in ("a\r\nb", "a\nb", "a\rb", "a\0b", "\x1b[2J", "a\x85b", "a\tb", "\udcff"):
            self.assertRaises(ValueError, requestLine, name)

    @given(st.text(), st.booleans())
    def test_oneLine(self, name: str, verbose: bool) -> None:
        """Whatever the name, what is sent is one line, or nothing."""
        try:
            line = requestLine(name, verbose)
        except ValueError:
            return
        self.assertEqual(line.splitlines(True), [line])
        self.assertTrue(line.endswith(b"\r\n"))


class AnswerTextTests(SynchronousTestCase):
    """What is made of an answer."""

    def test_lineEnds(self) -> None:
        """CR LF and LF are the end of a line alike; none is left behind the last one."""
        self.assertEqual(answerText(b"a\r\nb\nc\r\n\r\n"), "a\nb\nc")

    def test_notUTF8(self) -> None:
        """What isn't UTF-8 is replaced, and the rest stays."""
        self.assertEqual(answerText("Zoë".encode() + b" \xe9t\xe9\r\n"), "Zoë \ufffdt\ufffd")


class AnyAnswerTests(SynchronousTestCase):
    """What is made of any server's bytes."""

    @given(
        st.binary(max_size=60),
        st.lists(st.integers(min_value=0), max_size=5),
        st.integers(min_value=1, max_value=60),
        st.booleans(),
    )
    def test_anySegments(self, data: bytes, places: list[int], size: int, ends: bool) -> None:
        """An answer is all that came, if the server ended it in time, and nothing otherwise."""
        client = FingerClient(b"x\r\n", size)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            transport = _OverSocket(ours)
            client.makeConnection(transport)
            for segment in cut(data, places):
                if not transport.aborted:
                    client.dataReceived(segment)
            self.assertEqual(transport.aborted, len(data) > size)
            if ends and not transport.aborted:
                client.readConnectionLost()
                client.connectionLost(connectionDone)
            else:
                client.connectionLost(Failure(ConnectionLost()))
        if ends and 0 < len(data) <= size:
            self.assertEqual(self.successResultOf(client.answer), data)
        else:
            self.failureResultOf(client.answer, DirectoryError)
        self.assertEqual(transport.value(), b"x\r\n")

    @given(st.binary())
    def test_anyText(self, data: bytes) -> None:
        """Any bytes are text that can be sent once it is clean, and that stays so."""
        text = clean(answerText(data))
        self.assertEqual(clean(text), text)
        self.assertEqual(text.encode().decode(), text)


class QueryTests(Sockets):
    """One query to one server, over real connections."""

    def endpoint(self, port: int) -> TCP4ClientEndpoint:
        return TCP4ClientEndpoint(TCP, "127.0.0.1", port)

    async def failing(self, port: int, time: IReactorTime = TIME, **limits: float) -> str:
        asked = query(
            self.endpoint(port),
            b"moshez\r\n",
            replace(DEFAULTS, **limits),  # type: ignore[arg-type]
            time,
        )
        return str(await self.assertFailure(cast("Deferred[object]", asked), DirectoryError))

    def test_fits(self) -> None:
        """By default a query that fails does so before the client that waits for it gives up."""
        whole = DEFAULTS.upstreamWait + DEFAULTS.upstreamTime
        self.assertLess(whole, DEFAULTS.lookupTime)
        self.assertLess(DEFAULTS.upstreamConnectTime, DEFAULTS.upstreamTime)

    async def test_daemon(self) -> None:
        """The daemon answers the client."""
        endpoint = self.endpoint(self.serve(moshez="Happy and well"))
        answer = await query(endpoint, b"moshez\r\n", DEFAULTS, TIME)
        self.assertEqual(answer, b"Happy and well\r\n")

    async def test_pieces(self) -> None:
        """An answer that comes a byte at a time is whole in the end."""
        slow = Upstream(upstreams.dribbling(b"Happy\r\nand well\r\n"))
        endpoint = self.endpoint(slow.listen(self))
        answer = await query(endpoint, b"/W moshez\r\n", DEFAULTS, TIME)
        self.assertEqual(answer, b"Happy\r\nand well\r\n")
        self.assertEqual(slow.requests, [b"/W moshez\r\n"])

    async def test_refused(self) -> None:
        """A server that is down is said to refuse."""
        self.assertEqual(await self.failing(upstreams.refusingPort(self)), "connection refused")

    async def test_noConnection(self) -> None:
        """A server that can't be reached has so long to be reached, and no longer."""
        failed = await self.failing(upstreams.deafPort(self), upstreamConnectTime=0.05)
        self.assertEqual(failed, "no connection within 0.05 seconds")

    async def test_silent(self) -> None:
        """A server that says nothing fails when the time is up, and the connection is closed."""
        time = Clock()
        quiet = Upstream(upstreams.silent)
        asked = query(self.endpoint(quiet.listen(self)), b"x\r\n", DEFAULTS, time)
        await quiet.asked.get()
        time.advance(DEFAULTS.upstreamTime)
        failed = self.failureResultOf(asked, DirectoryError)
        self.assertEqual(failed.getErrorMessage(), "no whole answer within 3.5 seconds")
        await quiet.lost.get()
        self.assertEqual(time.getDelayedCalls(), [])

    async def test_slow(self) -> None:
        """Half of an answer is no answer: a server that is too slow fails."""
        slow = Upstream(upstreams.dribbling(b"x" * 100_000))
        failed = await self.failing(slow.listen(self), upstreamTime=0.2)
        self.assertEqual(failed, "no whole answer within 0.2 seconds")
        await slow.lost.get()

    async def test_endless(self) -> None:
        """A server that doesn't stop is stopped."""
        flood = Upstream(upstreams.endless)
        failed = await self.failing(flood.listen(self))
        self.assertEqual(failed, f"more than {DEFAULTS.upstreamSize} bytes of answer")
        await flood.lost.get()

    async def test_size(self) -> None:
        """An answer may be as long as the limit, and no byte longer."""
        limits = replace(DEFAULTS, upstreamSize=10)
        exact = self.endpoint(Upstream(upstreams.says(b"12345678\r\n")).listen(self))
        self.assertEqual(await query(exact, b"x\r\n", limits, TIME), b"12345678\r\n")
        longer = Upstream(upstreams.says(b"123456789\r\n")).listen(self)
        self.assertEqual(
            await self.failing(longer, upstreamSize=10), "more than 10 bytes of answer"
        )

    async def test_reset(self) -> None:
        """A connection that breaks in mid-answer is a failure, not the half that came."""
        breaking = Upstream(upstreams.silent)
        port = breaking.listen(self)
        asked = query(self.endpoint(port), b"x\r\n", DEFAULTS, TIME)
        transport = await breaking.asked.get()
        transport.write(b"Happy and")
        for _ in range(3):
            await turn()
        upstreams.reset(transport)
        error = await self.assertFailure(asked, DirectoryError)
        self.assertEqual(str(error), "connection lost after 9 bytes of answer")

    async def test_resetAtOnce(self) -> None:
        """So is one that breaks before any answer."""
        failed = await self.failing(Upstream(upstreams.reset).listen(self))
        self.assertEqual(failed, "connection lost after 0 bytes of answer")

    async def test_resetTakenForAnEnd(self) -> None:
        """So is one that the reactor takes for an end, since the system told it of that first."""
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as ours,
        ):
            theirs, _ = server.accept()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            theirs.close()
            client = FingerClient(b"x\r\n", 100)
            client.makeConnection(_OverSocket(ours))
            client.dataReceived(b"Happy and")
            client.readConnectionLost()
            client.connectionLost(connectionDone)
        error = await self.assertFailure(client.answer, DirectoryError)
        self.assertEqual(str(error), "connection lost after 9 bytes of answer")

    async def test_closed(self) -> None:
        """A server that closes without a word hasn't answered."""
        failed = await self.failing(Upstream(upstreams.closing).listen(self))
        self.assertEqual(failed, "closed without an answer")

    async def test_cancel(self) -> None:
        """Who doesn't want the answer any more cancels, and the connection is gone."""
        quiet = Upstream(upstreams.silent)
        asked = query(self.endpoint(quiet.listen(self)), b"x\r\n", DEFAULTS, TIME)
        await quiet.asked.get()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        await quiet.lost.get()

    async def test_cancelConnecting(self) -> None:
        """That holds also before there is a connection."""
        asked = query(self.endpoint(upstreams.deafPort(self)), b"x\r\n", DEFAULTS, TIME)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)


class FingerQueriesTests(TestCase):
    """Queries for many clients."""

    def setUp(self) -> None:
        self.quiet = Upstream(upstreams.silent)
        self.endpoint = TCP4ClientEndpoint(TCP, "127.0.0.1", self.quiet.listen(self))

    async def test_shared(self) -> None:
        """Many who ask the same at the same time cost the server one query."""
        queries = FingerQueries(DEFAULTS, TIME)
        asked = [queries.ask(self.endpoint, b"moshez\r\n") for _ in range(10)]
        upstreams.says(b"Happy\r\n")(await self.quiet.asked.get())
        self.assertEqual([await one for one in asked], [b"Happy\r\n"] * 10)
        self.assertEqual(self.quiet.requests, [b"moshez\r\n"])

    async def test_again(self) -> None:
        """Once a query is answered, the next one asks the server again."""
        queries = FingerQueries(DEFAULTS, TIME)
        self.quiet.behaviour = upstreams.says(b"Happy\r\n")
        for _ in range(2):
            self.assertEqual(await queries.ask(self.endpoint, b"moshez\r\n"), b"Happy\r\n")
        self.assertEqual(len(self.quiet.requests), 2)

    async def test_verboseIsAnother(self) -> None:
        """A verbose query isn't answered with another one's plain answer."""
        queries = FingerQueries(DEFAULTS, TIME)
        self.quiet.behaviour = upstreams.says(b"Happy\r\n")
        await queries.ask(self.endpoint, requestLine("moshez"))
        asked = [
            queries.ask(self.endpoint, requestLine("moshez", verbose)) for verbose in (False, True)
        ]
        for one in asked:
            await one
        self.assertEqual(sorted(self.quiet.requests[1:]), [b"/W moshez\r\n", b"moshez\r\n"])

    async def test_oneLeaves(self) -> None:
        """A client that goes away doesn't take the answer from the others."""
        queries = FingerQueries(DEFAULTS, TIME)
        first, second = (queries.ask(self.endpoint, b"moshez\r\n") for _ in range(2))
        transport = await self.quiet.asked.get()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        upstreams.says(b"Happy\r\n")(transport)
        self.assertEqual(await second, b"Happy\r\n")

    async def test_allLeave(self) -> None:
        """When the last has gone, the server isn't kept busy for nobody."""
        queries = FingerQueries(DEFAULTS, TIME)
        asked = [queries.ask(self.endpoint, b"moshez\r\n") for _ in range(2)]
        await self.quiet.asked.get()
        for one in asked:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        await self.quiet.lost.get()

    async def test_bounded(self) -> None:
        """Only so many connections are open to a server that hangs; others fail at once."""
        time = Clock()
        limits = replace(DEFAULTS, upstreamQueries=2, upstreamWaiting=1)
        queries = FingerQueries(limits, time)
        asked = [queries.ask(self.endpoint, b"user%d\r\n" % n) for n in range(4)]
        for _ in range(2):
            await self.quiet.asked.get()
        failed = self.failureResultOf(asked[3], DirectoryError)
        self.assertEqual(failed.getErrorMessage(), "busy: 2 at work, and more waiting")
        time.advance(limits.upstreamWait)
        failed = self.failureResultOf(asked[2], DirectoryError)
        self.assertEqual(failed.getErrorMessage(), "busy: 2 at work for 0.5 seconds")
        time.advance(limits.upstreamTime)
        for one in asked[:2]:
            self.failureResultOf(one, DirectoryError)
            await self.quiet.lost.get()
        self.assertEqual(self.quiet.requests, [b"user0\r\n", b"user1\r\n"])
