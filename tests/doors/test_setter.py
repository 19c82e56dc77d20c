"""The setter port, as clients meet it."""

from __future__ import annotations

import os
import pwd

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.setter.setter_protocol import FingerSetterFactory
from fingerd.model.errors import SettingRefused
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.policy import SetPolicy
from fingerd.model.record import Change, Changed, Part, Setter
from fingerd.model.rules import Rules
from fingerd.system.logins import Logins
from tests.support.ports import TIME, Client, Sockets, failing, inMemory, temporaryFolder, until
from tests.support.service import Finger
from tests.support.written_log import WrittenLog

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

    async def test_longer(self) -> None:
        """The longer form sets a plan, hides and shows; the answer tells what shows now."""
        plan = b"To write.\\nAnd more: " + b"\\\\" * 32000
        answer = await self.ask(self.setter, b"moshez plan 2h\n" + plan + b"\n")
        lines = answer.split(b"\r\n")
        self.assertEqual(lines[::2], [b"OK", b""])
        self.assertRegex(lines[1], rb"^now\tplan\t\d+\t\d+\tuid \d+ \(\S+\)\tTo write.\\nAnd")
        shown = await self.status()
        self.assertIn(b"Plan:\r\nTo write.\r\nAnd more: " + b"\\" * 32000 + b"\r\n", shown)
        for request, status in (
            (b"moshez hide\n", b"No such user\r\n"),
            (b"moshez show\r\n", shown),
            (b"moshez undo\n", b"No such user\r\n"),
            (b"moshez erase\n", b"Happy and well\r\n"),
        ):
            answer = await self.ask(self.setter, request)
            self.assertEqual(answer.split(b"\r\n")[0], b"OK")
            self.assertEqual(await self.status(), status)
        self.assertEqual(await self.ask(self.setter, b"moshez tell\n"), OK)
        self.assertEqual(await self.ask(self.setter, b"moshez history\n"), OK)
        nothing = b"Not set: there is nothing to take back\r\n"
        self.assertEqual(await self.ask(self.setter, b"moshez undo\n"), nothing)

    async def test_longestPlan(self) -> None:
        """A plan has 64 KiB at most; a status' line in the longer form is no longer than before."""
        for first, size, words in (
            (b"moshez plan\n", 65537, b"Not set: a plan has 65536 bytes at most\r\n"),
            (b"moshez plan\n", 131073, b"Not set: a line has 131072 bytes at most\r\n"),
            (b"moshez status\n", 1025, b"Not set: a line has 1024 bytes at most\r\n"),
        ):
            self.assertEqual(await self.ask(self.setter, first + b"x" * size + b"\n"), words)
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
        self.addCleanup(self.finger.setters.drain)
        self.addCleanup(port.stopListening)
        client = await UNIXClientEndpoint(reactor, path).connect(Factory.forProtocol(Client))
        client.transport.write(b"moshez\nBusy\n")
        self.assertEqual(await client.closed, OK)
        self.assertEqual(await self.status(), b"Busy\r\n")


# What the door is told of what was set.
DONE = Changed(Part.STATUS, None, None)


class Setting(Finger):
    """A service that takes its time."""

    def __init__(self, result: Deferred[Changed]) -> None:
        super().__init__(TIME)
        self.wanted: list[tuple[str, Change, Setter]] = []
        self.refusals: list[tuple[Setter, str]] = []
        self.result = result

    def set(self, login: str, change: Change, by: Setter) -> Deferred[Changed]:
        self.wanted.append((login, change, by))
        return self.result

    def refused(self, by: Setter, reason: str) -> None:
        self.refusals.append((by, reason))


class ServiceTests(Sockets):
    """What the service is told, and when the client is told what it said."""

    def open(self, setting: Setting) -> int:
        """A port whose clients all are the user 1000's."""
        return self.listen(FingerSetterFactory(setting, DEFAULTS, TIME, lambda transport: 1000))

    async def test_whoAsks(self) -> None:
        """The service is told who asks, from where, and for how long the status is to last."""
        setting = Setting(succeed(DONE))
        port = self.open(setting)
        for request in (b"moshez\nBusy\n", b"moshez 3\nAt lunch\n2h\n"):
            self.assertEqual(await self.ask(port, request), OK)
        [(login, forGood, by), (_, forATime, _)] = setting.wanted
        self.assertEqual((login, by.uid), ("moshez", 1000))
        self.assertTrue(by.where.startswith("127.0.0.1:"), by.where)
        self.assertEqual((forGood, forATime), (Change("Busy"), Change("At lunch", 7200)))
        self.assertEqual(setting.refusals, [])

    async def test_refused(self) -> None:
        """The service is told who was refused, and why, also where nothing could be set."""
        setting = Setting(succeed(DONE))
        port = self.open(setting)
        for request in (b"moshez\n", b"moshez 3\nBusy\nsoon\n", b"x" * 2000):
            answer = await self.ask(port, request, halfClose=True)
            by, reason = setting.refusals.pop()
            self.assertEqual((by.uid, reason.encode() + b"\r\n"), (1000, answer))
        self.assertEqual(setting.wanted, [])

    async def test_notSet(self) -> None:
        """What the service refuses, the client is told in the service's words."""
        port = self.open(Setting(fail(SettingRefused("Not set: the disk is full"))))
        self.assertEqual(await self.ask(port, b"moshez\nBusy\n"), b"Not set: the disk is full\r\n")

    async def test_notBeforeItIsSafe(self) -> None:
        """The answer waits until the status is safe; a client that leaves cancels nothing."""
        result: Deferred[Changed] = Deferred()
        setting = Setting(result)
        port = self.open(setting)
        patient, hasty = await self.connect(port), await self.connect(port)
        patient.transport.write(b"moshez\nBusy\n")
        hasty.transport.write(b"moshez\nBusy\n")
        await until(lambda: len(setting.wanted) == 2)
        hasty.transport.abortConnection()
        await hasty.closed
        self.assertEqual(patient.received, b"")
        result.callback(DONE)
        self.assertEqual(await patient.closed, OK)


class DaemonTests(Sockets):
    """What all setter ports of a daemon have in common."""

    async def test_reference(self) -> None:
        """
        A directory that fails is no "no such user"; its failure has one reference, whichever port
        it is told at.
        """
        finger = Finger(TIME, [failing(RuntimeError("secret reason"))])
        written = WrittenLog(self)
        factories = finger.getFingerSetterFactory(), finger.getFingerSetterFactory()
        ports = [self.listen(factory) for factory in factories]
        answers = {await self.ask(port, b"moshez\nBusy\n") for port in ports}
        answers.add(await self.ask(self.listen(finger.getFingerFactory()), b"moshez\r\n"))
        [answer] = answers
        self.assertRegex(answer, rb"^Internal error in server\r\nReference: [0-9a-f]{8}\r\n$")
        self.flushLoggedErrors(RuntimeError)
        self.assertEqual(sum("(reference " in line for line in written.lines()), 1)

    async def test_login(self) -> None:
        """Who sets one status after the other is looked up once, whichever port they use."""
        looked: list[int] = []

        def look(uid: int) -> pwd.struct_passwd:
            looked.append(uid)
            return pwd.getpwuid(uid)

        logins = Logins(reactor, look, Limits(loginKept=3600))
        self.addCleanup(logins.stop)
        finger = Finger(
            TIME, (), None, DEFAULTS, Rules(), None, None, logins, moshez="Happy and well"
        )
        for _ in range(2):
            port = self.listen(finger.getFingerSetterFactory())
            self.assertEqual(await self.ask(port, b"moshez\nBusy\n"), OK)
        self.assertEqual(looked, [os.getuid()])

    async def test_places(self) -> None:
        """Of more clients than there may be, the one that is silent longest makes room."""
        finger = Finger(TIME, (), None, Limits(setterConnections=2), moshez="Happy and well")
        ports = [self.listen(finger.getFingerSetterFactory()) for _ in range(2)]
        clients = []
        for port in reversed(ports):
            clients.append(await self.connect(port))
            await until(lambda: len(finger.setters) == len(clients))
        self.assertEqual(await self.ask(ports[0], b"moshez\nBusy\n"), OK)
        self.assertEqual(await clients[0].closed, b"")
        self.assertFalse(clients[1].closed.called)
        clients[1].transport.abortConnection()


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
