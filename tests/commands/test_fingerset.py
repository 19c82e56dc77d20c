"""The program that sets a status, as people use it."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.commands import fingerset as program
from fingerd.commands.fingerset import NO_ANSWER, REFUSED, Trouble, ask, main
from tests.support.daemon import PATIENCE, TWISTD, Daemon, exchange
from tests.support.forking import runForked
from tests.support.ports import TCP, TIME, Sockets, until
from tests.support.real_users import NOT_ROOT, become, commonDirectory, makeUser

FINGERSET = [str(Path(TWISTD).with_name("fingerset"))]
ME = pwd.getpwuid(os.getuid()).pw_name

Said = tuple[int, str, str]


def fingerset(*arguments: str | bytes, given: bytes = b"", by: list[str] | None = None) -> Said:
    """Run it; its exit status, its output and its standard error."""
    # A user's environment, and no proxy of the tests' own.
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "80"}
    command = [*FINGERSET, *map(os.fsdecode, arguments)]
    if by is None:
        done = runForked(command, environment, PATIENCE, given, os.getcwd())
    else:
        done = subprocess.run(
            [*by, *command],
            input=given,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env=environment,
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def said(words: str, login: str = ME) -> Said:
    """What it says where all is well."""
    return 0, f"{login}: {words}\n", ""


class FingersetTests(SynchronousTestCase):
    """Setting statuses of a real daemon, with the real program."""

    daemon: ClassVar[Daemon]
    socket: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        folder = commonDirectory(cls.addClassCleanup)
        cls.socket = f"{folder}/set"
        users = Path(folder) / "users"
        users.write_text(f"{ME}:Here\nmoshez:Happy\n")
        users.chmod(0o644)
        # As root, it is another user who is told apart; as anyone else, the daemon's own.
        cls.daemon = Daemon(
            "-n",
            "--pidfile=",
            "finger",
            "--listen=tcp:0:interface=127.0.0.1",
            f"--setter=unix:{cls.socket}",
            "--setter=tcp:0:interface=127.0.0.1",
            f"--users={users}",
            asRoot=True,
        )
        cls.daemon.__enter__()
        cls.addClassCleanup(cls.daemon.__exit__)

    def setUp(self) -> None:
        self.here = f"--socket={self.socket}"
        self.port = f"--port={self.daemon.setterPort}"
        for login in (ME, "moshez"):
            self.addCleanup(exchange, self.daemon.setterPort, f"{login} erase\n".encode())
        # What other tests have made it say.
        self.daemon.log.clear()

    def status(self, login: str = ME) -> str:
        """What everyone is told of a user."""
        return self.daemon.ask(login.encode() + b"\r\n").decode().replace("\r\n", "\n")

    def test_set(self) -> None:
        """It sets one's own status and says what it did: on the socket and on TCP."""
        self.assertEqual(fingerset(self.here, "Writing"), said("Writing"))
        self.assertEqual(self.status(), "Writing\n")
        self.assertEqual(fingerset(self.port, "At", "lunch"), said("At lunch; before it: Writing"))
        self.assertEqual(self.status(), "At lunch\n")

    def test_asItIs(self) -> None:
        """A status arrives as it was given: backslashes, line ends and all letters."""
        for text in (r"C:\new \\ \o/ \ ".strip(), "☕ im Café,\nמשה", "- x -", "%s {by}"):
            self.assertEqual(fingerset(self.here, "--", text)[0], 0)
            self.assertEqual(self.status(), f"{text}\n")

    def test_standardInput(self) -> None:
        """A status of several lines can come from standard input."""
        done = fingerset(self.here, "-", given=b"One\r\n\n two\\n\n")
        self.assertEqual(done, said("One   two\\n"))
        self.assertEqual(self.status(), "One\n\n two\\n\n")

    def test_clear(self) -> None:
        """--clear takes back what was set."""
        fingerset(self.here, "Writing")
        self.assertEqual(fingerset(self.here, "--clear"), said("no status set; before it: Writing"))
        self.assertEqual(self.status(), "Here\n")

    def test_user(self) -> None:
        """--user names another user, for those who may."""
        done = fingerset(self.here, "--user", "moshez", "On holiday")
        self.assertEqual(done, said("On holiday", "moshez"))
        self.assertEqual((self.status("moshez"), self.status()), ("On holiday\n", "Here\n"))

    def test_for(self) -> None:
        """--for says how long the status lasts; it says by the clock when that is over."""
        status, told, _ = fingerset(self.port, "--for", "1h30m", "At lunch")
        self.assertEqual(status, 0)
        self.assertRegex(told, rf"\A{ME}: At lunch, until [-0-9 ]*\d\d:\d\d\n\Z")
        self.assertEqual(self.status(), "At lunch\n")
        self.daemon.says(rf"status of '{ME}' set until \d+-\d\d-\d\dT\d\d:\d\d:\d\dZ by uid ")

    def test_plan(self) -> None:
        """A plan comes from a file or from standard input, a project with the option."""
        plan = Path(self.mktemp())
        plan.write_text("To write.\nAnd\tmore.\n")
        self.assertEqual(
            fingerset(self.here, "--plan", str(plan)), said("plan: To write. And more.")
        )
        done = fingerset(self.port, "--project", "fingerd")
        self.assertEqual(done, said("project: fingerd"))
        answer = self.status()
        self.assertIn("Status: Here\nProject: fingerd\nPlan:\nTo write.\nAnd\tmore.\n", answer)
        done = fingerset(self.here, "--plan", "-", "--for", "2h", given=b"x\n" * 30000)
        self.assertEqual(done[:1], (0,))
        self.assertIn("x x x …, until ", done[1])
        self.assertIn("Plan:\n" + "x\n" * 30000, self.status())
        self.assertEqual(fingerset(self.here, "--plan", "-", given=b"x" * 65537)[0], REFUSED)
        for part in "plan", "project":
            self.assertEqual(fingerset(self.here, "--clear", part)[0], 0)
        self.assertEqual(self.status(), "Here\n")
        missing = fingerset(self.here, "--plan", "/nonexistent")
        words = "fingerset: /nonexistent: No such file or directory; see fingerset --help\n"
        self.assertEqual(missing, (2, "", words))

    def test_hide(self) -> None:
        """--hide hides a user, and --show takes that back; --undo does so too."""
        self.assertEqual(fingerset(self.here, "--hide"), said("hidden"))
        self.assertEqual(self.status(), "No such user\n")
        self.assertEqual(fingerset(self.here, "--show"), said("shown; before it: hidden"))
        self.assertEqual(self.status(), "Here\n")
        self.assertEqual(fingerset(self.here, "--undo"), said("hidden"))
        self.assertEqual(fingerset(self.here, "--undo"), said("shown; before it: hidden"))
        self.assertEqual(self.status(), "Here\n")

    def test_told(self) -> None:
        """Alone it tells what is set, by whom and since when; --history tells what was."""
        self.assertEqual(fingerset(self.here), said("nothing set"))
        fingerset(self.here, "Writing")
        fingerset(self.here, "--hide")
        fingerset(self.here, "At \\n lunch")
        status, told, _ = fingerset(self.port)
        self.assertEqual(status, 0)
        by = r", since [-0-9 ]*\d\d:\d\d, set by uid \d+ \(\S+\)\n"
        self.assertRegex(told, rf"\A{ME}: At \\n lunch{by}{ME}: hidden{by}\Z")
        status, told, _ = fingerset(self.here, "--history")
        lines = [line[18:].partition(" (uid")[0] for line in told.splitlines()]
        self.assertEqual(lines[:3], ["At \\n lunch", "hidden", "Writing"])

    def test_erase(self) -> None:
        """--erase forgets everything."""
        fingerset(self.here, "Writing")
        fingerset(self.here, "--public-history")
        done = fingerset(self.here, "--erase")
        self.assertEqual(done, said("all that was set is erased, the history included"))
        self.assertEqual(fingerset(self.here, "--history"), (0, "", ""))
        self.assertEqual(fingerset(self.here), said("nothing set"))
        words = "fingerset: Not set: there is nothing to take back\n"
        self.assertEqual(fingerset(self.here, "--undo"), (REFUSED, "", words))

    def test_socketFirst(self) -> None:
        """The socket is asked first, then the port; each alone where only that is named."""
        self.assertEqual(fingerset(self.here, "--port=1", "Socket"), said("Socket"))
        self.assertEqual(self.status(), "Socket\n")
        self.daemon.says(f"set by .* on {self.socket}")
        done = fingerset("--socket=/nonexistent", self.port, "Port")
        self.assertEqual(done, said("Port; before it: Socket"))
        self.assertEqual(self.status(), "Port\n")
        status, _, words = fingerset("--socket=/nonexistent", "Nobody")
        self.assertEqual(status, NO_ANSWER)
        self.assertEqual(
            words, "fingerset: no server to ask (/nonexistent: No such file or directory)\n"
        )
        status, _, words = fingerset("--port=1", "Nobody")
        self.assertEqual(status, NO_ANSWER)
        self.assertEqual(
            words,
            "fingerset: no server to ask (127.0.0.1:1: Connection refused; "
            "[::1]:1: Connection refused)\n",
        )

    def test_refused(self) -> None:
        """What the server refuses ends with 1 and with the server's words, in one line."""
        for arguments, words in (
            (["--user", "nobody-at-all", "Hi"], "No such user"),
            (["a\x1b[2Jb"], "Not set: a status has no control characters"),
            (["--for", "0s", "x"], "Not set: a status lasts from 1s to 366d"),
            (["x" * 1025], "Not set: a line has 1024 bytes at most"),
            (["x" + "\n" * 600 + "x"], "Not set: a line has 1024 bytes at most"),
        ):
            done = fingerset(self.here, *arguments)
            self.assertEqual(done, (REFUSED, "", f"fingerset: {words}\n"), arguments)
        self.assertEqual(self.status(), "Here\n")

    def test_notTheirs(self) -> None:
        """A lesser user sets their own status, and is told that another's isn't theirs."""
        if os.geteuid() != 0:
            self.skipTest(NOT_ROOT)
        alice = makeUser("fd-alice-", self.addCleanup)
        for place in (self.here, self.port):
            done = fingerset(place, "--user", "moshez", "Hacked", by=become(alice))
            words = "Not set: a user sets their own status only"
            self.assertEqual(done, (REFUSED, "", f"fingerset: {words}\n"))
            # Theirs it would be, if a directory knew them.
            done = fingerset(place, "Mine", by=become(alice))
            self.assertEqual(done, (REFUSED, "", "fingerset: No such user\n"))
        self.assertEqual(self.status("moshez"), "Happy\n")


class CommandLineTests(SynchronousTestCase):
    """What is wrong before any server is asked."""

    def test_mistakes(self) -> None:
        """A command line that makes no sense ends with 2, and one line says why."""
        cases: list[tuple[list[str], str]] = [
            (["--hide", "Writing"], "one thing is done at a time"),
            (["--hide", "--undo"], "one thing is done at a time"),
            (["--clear", "Writing"], "invalid choice: 'Writing'"),
            (["--for", "2h", "--undo"], "--for is for what is set"),
            (["--for", "2h"], "--for is for what is set"),
            (["--project", " "], "the project is empty"),
            ([""], "use --clear"),
            (["  "], "use --clear"),
            (["--for", "soon", "x"], "such as 90s"),
            (["--for", "2h", "--clear"], "doesn't last"),
            (["--port", "0", "x"], "from 1 to 65535"),
            (["--port", "x", "x"], "invalid int value"),
            (["--socket", "/" + "x" * 107, "x"], "107 bytes at most"),
            (["--user", "two names", "x"], "no user can be called 'two names'"),
            (["--nonsense", "x"], "unrecognized arguments"),
            ([os.fsdecode(b"caf\xe9")], "UTF-8"),
        ]
        # Nobody is to be asked.
        self.patch(program, "react", None)
        for arguments, words in cases:
            with redirect_stderr(StringIO()) as standardError:
                ended = self.assertRaises(SystemExit, main, arguments)
            self.assertEqual(ended.code, 2, arguments)
            said = standardError.getvalue()
            self.assertRegex(said, r"\Afingerset: .*; see fingerset --help\n\Z")
            self.assertIn(words, said)

    def test_mistake(self) -> None:
        """So it is when it is run."""
        said = "fingerset: a status is UTF-8 text; see fingerset --help\n"
        self.assertEqual(fingerset(b"caf\xe9"), (2, "", said))

    def test_standardInput(self) -> None:
        """Standard input that is empty, of a program that failed perhaps, clears nothing."""
        for given, words in ((b"", "use --clear"), (b"\n\n", "use --clear"), (b"\xe9", "UTF-8")):
            status, _, said = fingerset("-", given=given)
            self.assertEqual(status, 2)
            self.assertIn(words, said)

    def test_help(self) -> None:
        """--help has examples, and says what the exit status means."""
        status, said, _ = fingerset("--help")
        self.assertEqual(status, 0)
        for words in ("examples:", "fingerset --for 2h 'At lunch'", "--clear", "with 3 when"):
            self.assertIn(words, said)


class Answering(Protocol):
    """A server that says what it is made to say, or nothing, when it has been asked."""

    def __init__(self, said: bytes | None, asked: list[bytes]) -> None:
        self._said = said
        self._asked = asked

    def dataReceived(self, data: bytes) -> None:
        self._asked.append(data)
        if self._said is not None and self.transport is not None:
            self.transport.write(self._said)
            self.transport.loseConnection()


class ServerTests(Sockets):
    """Servers that misbehave."""

    def asking(self, said: bytes | None, clock: Clock | None = None) -> Deferred[Sequence[str]]:
        """Ask a server that says this."""
        self.asked: list[bytes] = []
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: Answering(said, self.asked)  # type: ignore[method-assign]
        port = TCP.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[arg-type]
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(TCP, "127.0.0.1", port.getHost().port)  # type: ignore[attr-defined]
        return Deferred.fromCoroutine(
            ask([("there", endpoint)], b"moshez\nBusy\n", TIME if clock is None else clock)
        )

    async def trouble(self, asking: Deferred[Sequence[str]]) -> Trouble:
        """What goes wrong."""
        with self.assertRaises(Trouble) as raised:
            await asking
        trouble: Trouble = raised.exception
        return trouble

    async def test_ok(self) -> None:
        """OK is OK with any line end, and with none."""
        for said in (b"OK\r\n", b"OK\n", b"OK"):
            await self.asking(said)
            self.assertEqual(self.asked, [b"moshez\nBusy\n"])

    async def test_noAnswer(self) -> None:
        """A server that closes without a word leaves it open whether the status is set."""
        trouble = await self.trouble(self.asking(b""))
        self.assertEqual(trouble.number, NO_ANSWER)
        self.assertEqual(str(trouble), "no answer from there: it may be set or not")

    async def test_silence(self) -> None:
        """A server that says nothing isn't waited for for ever."""
        clock = Clock()
        asking = self.asking(None, clock)
        await until(lambda: self.asked)
        clock.advance(30)
        trouble = await self.trouble(asking)
        self.assertEqual(trouble.number, NO_ANSWER)

    async def test_flood(self) -> None:
        """A server that says more than any setter does is left: that is no answer."""
        trouble = await self.trouble(self.asking(b"x" * 1000000))
        self.assertEqual(trouble.number, NO_ANSWER)
