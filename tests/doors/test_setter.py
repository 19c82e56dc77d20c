"""The setter port, as clients meet it."""

from __future__ import annotations

from fingerd.service.admission import Admission
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from fingerd.doors.setter.setter_protocol import FingerSetterFactory
from fingerd.model.interfaces import IFingerSetterService
from fingerd.model.limits import DEFAULTS
from fingerd.model.policy import SetPolicy
from fingerd.model.record import Setter
from fingerd.model.rules import Rules
from tests.support.ports import TIME, Client, Directory, Sockets, inMemory, temporaryFolder, until
from tests.support.service import Finger

OK = b"OK\r\n"
TWO_LINES = b"Two lines are needed: the user, then the status\r\n"


class SetterTests(Sockets):
    """Setting a status, and asking for it."""

    def setUp(self) -> None:
        self.finger = Finger(TIME, moshez="Happy and well", radix="Writing")
        self.port = self.listen(self.finger.getFingerFactory())
        self.setter = self.listen(self.finger.getFingerSetterFactory())

    async def status(self, login: bytes = b"moshez") -> bytes:
        """What the finger port says of this user."""
        return await self.ask(self.port, login + b"\r\n")

    async def test_set(self) -> None:
        """Two lines set a status, it is acknowledged, and shows at once."""
        for number, line in enumerate((b"moshez\nBusy %d\n", b"moshez\r\nBusy %d\r\n")):
            self.assertEqual(await self.ask(self.setter, line % number), OK)
            self.assertEqual(await self.status(), b"Busy %d\r\n" % number)
        self.assertEqual(await self.status(b"radix"), b"Writing\r\n")
        self.assertIn(b"Busy 1", await self.status(b""))

    async def test_halfClose(self) -> None:
        """So does nc -N, with the last line end or without it."""
        for line in (b"moshez\nBusy", b"moshez\nBusy\n", b"moshez\r\nBusy\r"):
            self.assertEqual(await self.ask(self.setter, line, halfClose=True), OK, line)
            self.assertEqual(await self.status(), b"Busy\r\n")

    async def test_segments(self) -> None:
        """However the lines are cut into segments."""
        answer = await self.ask(self.setter, b"mos", b"hez\r", b"\nBu", b"sy", b"\n")
        self.assertEqual(answer, OK)
        self.assertEqual(await self.status(), b"Busy\r\n")

    async def test_clientThatClosesAtOnce(self) -> None:
        """The talk's client closes as soon as it has sent, and its status is set."""
        for line in (b"moshez\r\nGone\r\n", b"moshez\nGone too"):
            client = await self.connect(self.setter)
            client.transport.write(line)
            client.transport.loseConnection()
            await client.closed
            expected = line.split(b"\n")[1].strip()
            while (await self.status()) != expected + b"\r\n":
                pass

    async def test_clear(self) -> None:
        """An empty status clears what was set: what the directory says shows again."""
        for clear in (b"moshez\n\n", b"moshez\r\n\r\n", b"moshez\n  \n"):
            self.assertEqual(await self.ask(self.setter, b"moshez\nBusy\n"), OK)
            self.assertEqual(await self.ask(self.setter, clear), OK, clear)
            self.assertEqual(await self.status(), b"Happy and well\r\n")

    async def test_clearNothing(self) -> None:
        """To clear what was never set is no mistake."""
        self.assertEqual(await self.ask(self.setter, b"moshez\n\n"), OK)

    async def test_reload(self) -> None:
        """What was set survives a reload."""
        await self.ask(self.setter, b"moshez\nBusy\n")
        await self.finger.reload()
        self.assertEqual(await self.status(), b"Busy\r\n")

    async def test_oneLine(self) -> None:
        """One line and the end, with or without a line end, is refused: nothing is cleared."""
        await self.ask(self.setter, b"moshez\nBusy\n")
        for line in (b"moshez\n", b"moshez", b"", b"moshez\r\n"):
            self.assertEqual(await self.ask(self.setter, line, halfClose=True), TWO_LINES, line)
        self.assertEqual(await self.status(), b"Busy\r\n")

    async def test_unknownUser(self) -> None:
        """A user whom nobody knows is refused, and not made."""
        for user in (b"nobody", b"", b"/W", b"a@b", b"two names"):
            answer = await self.ask(self.setter, user + b"\nBusy\n")
            self.assertEqual(answer, b"No such user\r\n", user)
        self.assertEqual(await self.status(b"nobody"), b"No such user\r\n")

    async def test_controlCharacters(self) -> None:
        """Control characters are refused, and nothing is changed; a TAB is none of them."""
        for line in (b"moshez\nB\x1b[2J\n", b"moshez\nB\0usy\n", b"mos\x7fhez\nBusy\n"):
            answer = await self.ask(self.setter, line)
            self.assertEqual(answer, b"Not set: a status has no control characters\r\n", line)
        self.assertEqual(await self.status(), b"Happy and well\r\n")
        self.assertEqual(await self.ask(self.setter, b"moshez\nA\tB\n"), OK)

    async def test_notUTF8(self) -> None:
        """What isn't UTF-8 is refused, and nothing is changed."""
        answer = await self.ask(self.setter, b"moshez\ncaf\xe9\n")
        self.assertEqual(answer, b"Not set: a status is UTF-8 text\r\n")
        self.assertEqual(await self.status(), b"Happy and well\r\n")

    async def test_utf8(self) -> None:
        """A status can have any letters, and comes back whole."""
        text = "☕ im Café, משה".encode()
        self.assertEqual(await self.ask(self.setter, b"moshez\n" + text + b"\n"), OK)
        self.assertEqual(await self.status(), text + b"\r\n")

    async def test_longestLine(self) -> None:
        """A status of 1024 bytes is taken, one of 1025 refused in words."""
        self.assertEqual(await self.ask(self.setter, b"moshez\n" + b"x" * 1024 + b"\r\n"), OK)
        self.assertEqual(await self.status(), b"x" * 1024 + b"\r\n")
        refusal = b"Not set: a line has 1024 bytes at most\r\n"
        for line in (b"moshez\n" + b"y" * 1025 + b"\n", b"z" * 5000, b"moshez\n" + b"y" * 90000):
            self.assertEqual(await self.ask(self.setter, line), refusal)
        self.assertEqual(await self.status(), b"x" * 1024 + b"\r\n")

    async def test_severalLines(self) -> None:
        """A status can have several lines: a line end in it is written as backslash and n."""
        said = await self.ask(self.setter, rb"moshez" b"\n" rb"In C:\temp\now\\n" b"\n")
        self.assertEqual(said, OK)
        self.assertEqual(await self.status(), b"In C:\\temp\r\now\\n\r\n")
        self.assertIn(b"In C:\\temp\r\n", await self.status(b""))

    async def test_longestLineEscaped(self) -> None:
        """The line is as long as it is on the wire."""
        self.assertEqual(await self.ask(self.setter, b"moshez\n" + b"\\n" * 511 + b"xx\n"), OK)
        refusal = b"Not set: a line has 1024 bytes at most\r\n"
        said = await self.ask(self.setter, b"moshez\n" + b"\\n" * 511 + b"xxx\n")
        self.assertEqual(said, refusal)

    async def test_threeLines(self) -> None:
        """Where the first line announces it, a third one says how long the status lasts."""
        for request in (b"moshez 3\nAt lunch\n2h\n", b"moshez 3\r\nAt lunch\r\n2h\r\n"):
            self.assertEqual(await self.ask(self.setter, request), OK)
        self.assertEqual(await self.ask(self.setter, b"moshez 3\nOut\n90m", halfClose=True), OK)
        self.assertEqual(await self.status(), b"Out\r\n")

    async def test_thirdLineUnannounced(self) -> None:
        """
        Where nothing announces it, two lines are all, whether a third comes with them or after.
        """
        for segments in ([b"moshez\nBusy\n2h\n"], [b"moshez\nBusy\n", b"2h\n"]):
            with capturedLogs() as events:
                self.assertEqual(await self.ask(self.setter, *segments), OK)
            self.assertNotIn("until", "".join(formatEvent(event) or "" for event in events))

    async def test_thirdLineMissing(self) -> None:
        """An announced third line that doesn't come, or is no time, is refused in words."""
        for request in (b"moshez 3\nAt lunch\n", b"moshez 3\nAt lunch", b"moshez 3\n", b"moshez 3"):
            said = await self.ask(self.setter, request, halfClose=True)
            self.assertTrue(said.startswith(b"Three lines are needed: "), said)
        for request in (b"moshez 3\nAt lunch\n\n", b"moshez 3\nAt lunch\nsoon\n"):
            said = await self.ask(self.setter, request)
            self.assertTrue(said.startswith(b"Not set: how long it lasts is a time such as "), said)
        self.assertEqual(await self.status(), b"Happy and well\r\n")

    async def test_moreLines(self) -> None:
        """Lines behind the two are thrown away, and don't cost the answer."""
        answer = await self.ask(self.setter, b"moshez\nBusy\n" + b"more\n" * 1000)
        self.assertEqual(answer, OK)
        self.assertEqual(await self.status(), b"Busy\r\n")

    async def test_unixSocket(self) -> None:
        """A status can be set over a UNIX socket."""
        path = str(temporaryFolder(self) / "socket")
        factory = self.finger.getFingerSetterFactory()
        port = await UNIXServerEndpoint(reactor, path).listen(factory)
        self.addCleanup(factory.drain)
        self.addCleanup(port.stopListening)
        client = await UNIXClientEndpoint(reactor, path).connect(Factory.forProtocol(Client))
        client.transport.write(b"moshez\nBusy\n")
        self.assertEqual(await client.closed, OK)
        self.assertEqual(await self.status(), b"Busy\r\n")


@implementer(IFingerSetterService)
class Setting:
    """A service that keeps its time, or fails."""

    def __init__(self, result: Deferred[None]) -> None:
        self.asked: list[tuple[str, str, Setter, float | None]] = []
        self.result = result

    def setUser(
        self, login: str, status: str, by: Setter, until: float | None = None
    ) -> Deferred[None]:
        self.asked.append((login, status, by, until))
        return self.result


class FailureTests(Sockets):
    """What is said when a status can't be kept."""

    async def test_failure(self) -> None:
        """A failure is told in the same words as a failing lookup, and never as OK."""
        setting = Setting(fail(RuntimeError("secret reason")))
        port = self.listen(FingerSetterFactory(setting, DEFAULTS, TIME, Admission(10, 10)))
        answer = await self.ask(port, b"moshez\nBusy\n")
        self.assertTrue(answer.startswith(b"Internal error in server\r\nReference: "))
        self.assertNotIn(b"secret", answer)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_failingDirectory(self) -> None:
        """A directory that can't say whether there is such a user is no "no such user"."""
        finger = Finger(TIME, [Directory(lambda login: fail(RuntimeError()))])
        port = self.listen(finger.getFingerSetterFactory())
        answer = await self.ask(port, b"moshez\nBusy\n")
        self.assertTrue(answer.startswith(b"Internal error in server\r\n"))
        self.flushLoggedErrors(RuntimeError)

    async def test_whoAsks(self) -> None:
        """The service is told who asks, from where, and when the status ends."""
        setting = Setting(succeed(None))
        factory = FingerSetterFactory(
            setting,
            DEFAULTS,
            TIME,
            Admission(10, 10),
            owner=lambda transport: 1000,
            loginOf=lambda uid: succeed("moshez" if uid == 1000 else None),
            now=lambda: 1000000.0,
        )
        port = self.listen(factory)
        for request in (b"moshez\nBusy\n", b"moshez 3\nAt lunch\n2h\n"):
            self.assertEqual(await self.ask(port, request), OK)
        [(_, _, by, forGood), (_, text, _, end)] = setting.asked
        self.assertEqual((by.uid, by.login), (1000, "moshez"))
        self.assertTrue(by.where.startswith("127.0.0.1:"), by.where)
        self.assertEqual((forGood, text, end), (None, "At lunch", 1007200.0))

    async def test_slowAccounts(self) -> None:
        """Where the system doesn't tell the asking user's login, that is said in time."""
        setting, clock = Setting(succeed(None)), Clock()
        asked: list[int] = []

        def loginOf(uid: int) -> Deferred[str | None]:
            asked.append(uid)
            return Deferred()

        factory = FingerSetterFactory(
            setting,
            DEFAULTS,
            clock,
            Admission(10, 10),
            owner=lambda transport: 1000,
            loginOf=loginOf,
        )
        client = await self.connect(self.listen(factory))
        client.transport.write(b"moshez\nBusy\n")
        await until(lambda: asked)
        with capturedLogs() as events:
            clock.advance(DEFAULTS.lookupTime)
            answer = await client.closed
        self.assertTrue(answer.startswith(b"Internal error in server\r\n"), answer)
        self.assertIn("no login for uid 1000", "".join(formatEvent(e) or "" for e in events))
        self.assertEqual(setting.asked, [])
        # What still runs is the drain's: it has this clock.
        factory.drain()

    async def test_notBeforeItIsSafe(self) -> None:
        """The answer waits until the status is safe; a client that leaves cancels nothing."""
        result: Deferred[None] = Deferred()
        setting = Setting(result)
        port = self.listen(FingerSetterFactory(setting, DEFAULTS, TIME, Admission(10, 10)))
        patient, hasty = await self.connect(port), await self.connect(port)
        patient.transport.write(b"moshez\nBusy\n")
        hasty.transport.write(b"moshez\nBusy\n")
        await until(lambda: len(setting.asked) == 2)
        hasty.transport.abortConnection()
        await hasty.closed
        self.assertEqual(patient.received, b"")
        result.callback(None)
        self.assertEqual(await patient.closed, OK)


class PeerTests(SynchronousTestCase):
    """From where a status can be set."""

    def answer(self, host: str) -> bytes:
        """What a client at ``host`` is told."""
        anyone = Rules(setting=SetPolicy(anyone=True))
        finger = Finger(Clock(), [], None, DEFAULTS, anyone, moshez="Happy")
        factory = finger.getFingerSetterFactory()
        said: bytes = inMemory(factory, [b"moshez\nBusy\n"], ends=False, host=host).value()
        return said

    def test_thisMachine(self) -> None:
        """From this machine it can."""
        for host in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
            self.assertEqual(self.answer(host), OK, host)

    def test_otherMachines(self) -> None:
        """From any other it can't, also where the port is open to it."""
        for host in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1%eth0"):
            self.assertTrue(self.answer(host).startswith(b"Not set: "), host)
