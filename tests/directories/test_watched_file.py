"""What every watched file of users does, whatever its format: shown with the users file."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fingerd.directories.key_files import KeyFiles
from fingerd.directories.users_file import UsersFile, fromURL
from fingerd.directories.watched import looks
from fingerd.directories.watched.file_url import pathIn
from fingerd.directories.watched.reader import LineReader, Malformed
from fingerd.directories.watched.table import Table
from fingerd.directories.watched.watched_file import WatchedFile
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from fingerd.service.finger_service import FingerService
from fingerd.stores.memory import MemoryStore
from tests.support.daemon import PATIENCE
from tests.support.ports import TIME, NoThreads, TurnClock, temporaryFolder, until

# A server that hangs is said to do so at once.
SOON = Limits(lookupTime=0.01)
NO_ANSWER = "no answer in 0.01 seconds, as from a file server that hangs"


class FileCase(TestCase):
    """A test with a file of users, and with what is said of it in the log."""

    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.path = Path(place.name) / "users"
        self.patch(looks, "Threads", NoThreads)
        # Far from the time of any file: none is still being written.
        self.now = 0.0
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def status(self, users: WatchedFile, login: str = "moshez") -> str | None:
        """The status of a user, or None."""
        user = self.successResultOf(users.getUser(login))
        return None if user is None else user.status

    def said(self, level: LogLevel = LogLevel.warn) -> list[str]:
        """What has been said in the log since it was asked last, at this level or above."""
        said = [
            text
            for event in self.events
            if event["log_level"] >= level and str(self.path) in (text := formatEvent(event))
        ]
        self.events.clear()
        return said


class Refusing(UsersFile):
    """A directory whose reader refuses every file but the first with an error."""

    def __init__(self, path: str, clock: Clock, error: Exception) -> None:
        super().__init__(path, clock, now=lambda: 0.0)
        self.opened = 0
        self.error = error

    def _reader(self, table: Table) -> LineReader:
        self.opened += 1
        reader = super()._reader(table)
        if self.opened > 1:
            reader.feed = self.refuse  # type: ignore[method-assign]
        return reader

    def refuse(self, piece: bytes) -> None:
        raise self.error


class SlowClock(TurnClock):
    """A clock for which half a second passes whenever somebody looks."""

    def seconds(self) -> float:
        self.rightNow += 0.5
        return self.rightNow


class WatchedFileTests(FileCase):
    """Reading a file again, when all goes well and when it doesn't."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = TurnClock()

    def start(self, users: WatchedFile) -> None:
        """Start a directory for the length of the test."""
        users.startService()
        self.addCleanup(users.stopService)

    def reload(self, users: WatchedFile) -> None:
        """Look for changes, and let the reading go on until it is done."""
        done = users.reload()
        while not done.called:
            self.clock.turn()

    def usersFile(self, limits: Limits = DEFAULTS) -> UsersFile:
        """The directory, as a running daemon has it."""
        users = UsersFile(str(self.path), self.clock, limits, now=lambda: self.now)
        self.start(users)
        return users

    def test_saysHowFarItIs(self) -> None:
        """A first reading that takes longer than two seconds says every second how far it is."""
        self.path.write_bytes(b"moshez:Happy\nradix:Writing\n" + b"#\n" * 15_625)
        users = UsersFile(str(self.path), SlowClock(), now=lambda: self.now)
        self.start(users)
        *early, last = self.said(LogLevel.info)
        self.assertEqual(
            early,
            [f"{self.path}: {percent} % read, 1 users so far" for percent in (52, 78, 100)],
        )
        self.assertEqual(last, f"{self.path}: 2 users")

    def test_quickStartSaysNothing(self) -> None:
        """A first reading that is quick says only how many users there are."""
        self.path.write_bytes(b"moshez:Happy\n" + b"#\n" * 250_000)
        self.usersFile()
        self.assertEqual(self.said(LogLevel.info), [f"{self.path}: 1 user"])

    def test_troubleThatComesBack(self) -> None:
        """A file that goes, comes back as it was and goes again is said to be gone both times."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.usersFile()
        other = self.path.with_name("other")
        for _ in range(2):
            self.path.rename(other)
            self.reload(users)
            self.reload(users)
            self.assertEqual(len(self.said()), 1)
            other.rename(self.path)
            self.reload(users)
            self.assertEqual(self.said(), [])

    def test_malformedIsReadOnce(self) -> None:
        """A file that makes no sense is said to be so once, and read again when it changes."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = Refusing(str(self.path), self.clock, Malformed("that makes no sense"))
        self.start(users)
        self.path.write_bytes(b"moshez:Busy\n")
        for _ in range(3):
            self.reload(users)
        self.assertEqual(users.opened, 2)
        self.path.write_bytes(b"moshez:Busier\n")
        self.reload(users)
        self.assertEqual(users.opened, 3)
        self.assertEqual(self.status(users), "Happy")
        self.assertEqual(
            self.said(),
            [f"{self.path} can't be read (that makes no sense): the users read before (1) stay"],
        )

    def test_otherTroubleIsTriedAgain(self) -> None:
        """What isn't the file's own fault is tried again, and said once."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = Refusing(str(self.path), self.clock, DirectoryError("not now"))
        self.start(users)
        self.path.write_bytes(b"moshez:Busy\n")
        for _ in range(3):
            self.reload(users)
        self.assertEqual(users.opened, 4)
        self.assertEqual(self.status(users), "Happy")
        self.assertEqual(len(self.said()), 1)

    def test_accidents(self) -> None:
        """
        A file that is emptied, or binary, keeps its users, and the log says so once; with a
        comment in it, it stands for nobody.
        """
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.usersFile()
        binary = "it is binary: there is a NUL byte in it"
        empty = "it is empty: a comment in it, or none:, stands for nobody"
        for data, reason in (
            (b"", empty),
            (b"\n \n", empty),
            (b"moshez:Busy\nradix:\0\n", binary),
            ("moshez:Busy\n".encode("utf-16"), binary),
        ):
            self.path.write_bytes(data)
            for _ in range(3):
                self.reload(users)
            self.assertEqual(self.status(users), "Happy")
            self.assertEqual(
                self.said(),
                [f"{self.path} can't be read ({reason}): the users read before (1) stay"],
            )
            self.path.write_bytes(b"moshez:Happy\n")
            self.reload(users)
        self.path.write_bytes(b"# nobody\n")
        self.reload(users)
        self.assertEqual(len(users), 0)
        self.assertEqual(self.said(), [])

    def test_emptyAtTheStart(self) -> None:
        """A daemon starts with an empty file, in which there is nobody yet."""
        self.path.write_bytes(b"")
        users = self.usersFile()
        self.assertEqual(len(users), 0)
        self.path.write_bytes(b"moshez:Happy\n")
        self.reload(users)
        self.assertEqual(self.status(users), "Happy")
        self.assertEqual(self.said(), [])

    def test_unforeseen(self) -> None:
        """What nobody has foreseen is logged with where it comes from; the users stay."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = Refusing(str(self.path), self.clock, RuntimeError("oh"))
        self.start(users)
        self.path.write_bytes(b"moshez:Busy\n")
        self.reload(users)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.status(users), "Happy")
        self.assertIn("can't be read (oh)", self.said()[-1])

    def test_notReadableForTheLesserUser(self) -> None:
        """A file that only root can read is said to be so at the start, and its users stay."""
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        self.path.write_bytes(b"moshez:Happy\n")
        self.path.parent.chmod(0o755)
        self.path.chmod(0o600)
        users = UsersFile(str(self.path), self.clock, now=lambda: self.now)
        users.privilegedStartService()
        os.seteuid(65534)
        try:
            users.startService()
        finally:
            os.seteuid(0)
        self.addCleanup(users.stopService)
        self.assertEqual(
            self.said(),
            [
                f"{self.path} can't be read again by this daemon's user (Permission denied): "
                "the users read before (1) stay"
            ],
        )
        self.assertEqual(self.status(users), "Happy")

    def test_stopped(self) -> None:
        """A directory that has stopped doesn't look at its file; started again, it does."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.usersFile()
        users.stopService()
        self.path.write_bytes(b"moshez:Busy\n")
        self.reload(users)
        self.assertEqual(self.status(users), "Happy")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        users.startService()
        self.reload(users)
        self.assertEqual(self.status(users), "Busy")

    def test_stopWhileReading(self) -> None:
        """A directory that stops while it reads closes the file, and tells who waits for it."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.usersFile(Limits(reloadSlice=0.0))
        before = len(os.listdir("/proc/self/fd"))
        self.path.write_bytes(b"moshez:Busy\n" + b"#\n" * 50_000)
        done = users.reload()
        self.clock.turn()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before + 1)
        self.assertNoResult(done)
        users.stopService()
        self.successResultOf(done)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replacedWhileItIsRead(self) -> None:
        """A file that is replaced while it is read counts until the new one is read."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.usersFile(Limits(reloadSlice=0.0))
        for status in (b"Busy", b"Busier"):
            self.path.write_bytes(b"moshez:%s\n" % status + b"#\n" * 50_000)
            done = users.reload()
            self.clock.turn()
            self.assertNoResult(done)
            other = self.path.with_name("other")
            other.write_bytes(b"moshez:Back\n")
            other.rename(self.path)
            while not done.called:
                self.clock.turn()
            self.assertEqual(self.status(users), status.decode())
            self.reload(users)
            self.assertEqual(self.status(users), "Back")
        self.assertEqual(self.said(), [])

    def test_halfATable(self) -> None:
        """What was read of a file that can't be read to its end is let go in many turns."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = UsersFile(str(self.path), self.clock, Limits(reloadSlice=0.0), now=lambda: self.now)
        self.start(users)
        self.path.write_bytes(b"".join(b"u%d:\n" % n for n in range(50_000)))
        done = users.reload()
        self.clock.turn()
        os.truncate(self.path, 10_000)
        turns = 0
        while not done.called:
            self.clock.turn()
            turns += 1
        self.assertGreater(turns, 200)
        self.assertEqual(self.status(users), "Happy")


class TableTests(SynchronousTestCase):
    """The table that a file is read into."""

    def test_hidden(self) -> None:
        """A hidden login is there, has no text, isn't counted and isn't listed."""
        table = Table(listed=10)
        table.put("moshez", "Happy")
        table.hide("root")
        self.assertEqual(len(table), 1)
        self.assertIn("root", table)
        self.assertNotIn("nobody", table)
        self.assertIsNone(table.get("root"))
        self.assertEqual(list(table.first(10)), [("moshez", "Happy")])


class FileURLTests(SynchronousTestCase):
    """The path in a URL."""

    def test_path(self) -> None:
        """A path stands behind the colon, with or without the two slashes of a host."""
        for rest in ("/etc/users", "///etc/users", "//localhost/etc/users"):
            self.assertEqual(pathIn(rest), "/etc/users")
        self.assertEqual(pathIn("a b%20c?d#e"), "a b%20c?d#e")

    def test_nonsense(self) -> None:
        """What can't be a path is refused in words."""
        for rest in ("", "/", "/etc/", "//", "//host/etc/users", "//host", "/etc/\0users"):
            error = self.assertRaises(ValueError, pathIn, rest)
            self.assertNotEqual(str(error), "")

    def test_usersFile(self) -> None:
        """``file:/etc/users`` is the users file with that path."""
        self.assertEqual(str(fromURL("/etc/users", Clock())), "/etc/users")


class HangingTests(TestCase):
    """What is on a file server that has stopped answering."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)
        self.path = self.folder / "moshez"
        self.path.write_text("moshez:Happy\n")
        os.utime(self.path, (1, 1))
        # What was asked of the file, and whether that may be answered.
        self.asked: list[str] = []
        self.answers = Event()
        self.happy = User("moshez", status="Happy")
        self.addCleanup(self.answers.set)

    def hangs(self, name: str) -> None:
        """From now on, this function of C{os} waits where the file is concerned."""
        does = getattr(os, name)

        def waiting(path: object, *arguments: object) -> object:
            if str(path).startswith(str(self.folder)):
                self.asked.append(name)
                if current_thread() is main_thread():
                    self.asked.append("the daemon waits")
                else:
                    self.answers.wait(PATIENCE)
            return does(path, *arguments)

        self.patch(os, name, waiting)

    def said(self) -> list[str]:
        """From now on, what is said in the log of the file or its folder."""
        said: list[str] = []

        def observe(event: LogEvent) -> None:
            if str(self.folder) in (text := formatEvent(event)):
                said.append(text)

        globalLogPublisher.addObserver(cast(ILogObserver, observe))
        self.addCleanup(globalLogPublisher.removeObserver, cast(ILogObserver, observe))
        return said

    async def staysWhile(self, name: str) -> None:
        """
        This function waits, and the users read before are answered until it is done. By then the
        log has said once what hangs, and nobody waits for that who has asked for a look.
        """
        users = UsersFile(str(self.path), TIME, SOON)
        users.startService()
        self.addCleanup(users.stopService)
        said = self.said()
        self.path.write_text("moshez:Busy\n")
        os.utime(self.path, (2, 2))
        self.hangs(name)
        first = users.reload()
        await until(lambda: self.asked)
        await users.reload()
        self.assertTrue(first.called)
        self.assertTrue(users.reload().called)
        self.assertEqual((self.asked, users.held("moshez")), ([name], self.happy))
        self.assertEqual(
            said, [f"{self.path} can't be read ({NO_ANSWER}): the users read before (1) stay"]
        )
        self.assertIn("no answer", str(users.readings.trouble))
        self.answers.set()
        await until(lambda: users.held("moshez") != self.happy)
        self.assertEqual(users.held("moshez"), User("moshez", status="Busy"))
        # (Where this machine is slow, the next look may be late, too.)
        await until(lambda: users.readings.trouble is None)

    async def test_look(self) -> None:
        """Users are answered while it can't be told whether the file has changed."""
        await self.staysWhile("stat")

    async def test_reading(self) -> None:
        """So they are while a changed file can't be read."""
        await self.staysWhile("open")

    async def test_keysStay(self) -> None:
        """So do keys for ssh."""
        keys = KeyFiles(str(self.folder), TIME, SOON)
        keys.startService()
        self.addCleanup(keys.stopService)
        said = self.said()
        self.path.write_text("another key\n")
        os.utime(self.path, (2, 2))
        self.hangs("scandir")
        first = keys.reload()
        await until(lambda: self.asked)
        for done in (first, keys.reload(), keys.reload()):
            await done
        self.assertEqual((self.asked, keys.keysOf("moshez")), (["scandir"], "moshez:Happy\n"))
        self.assertEqual(
            said, [f"{self.folder}, it can't be read ({NO_ANSWER}): the keys read before stay"]
        )
        self.answers.set()
        await until(lambda: keys.keysOf("moshez") == "another key\n")

    async def test_others(self) -> None:
        """A reload of the others' files, and what systemd is told of it, waits for it no longer."""
        other = temporaryFolder(self) / "users"
        other.write_text("radix:Idle\n")
        os.utime(other, (1, 1))
        both = [UsersFile(str(path), TIME, SOON) for path in (self.path, other)]
        finger = FingerService(TIME, both, MemoryStore(time.time))
        for users in both:
            users.startService()
            self.addCleanup(users.stopService)
        other.write_text("radix:Busy\n")
        os.utime(other, (2, 2))
        self.hangs("stat")
        await finger.reload()
        busy = User("radix", status="Busy")
        await until(lambda: both[1].held("radix") == busy)
        self.assertEqual(both[0].held("moshez"), self.happy)

    async def test_stop(self) -> None:
        """The daemon can stop, and waits for no such server; started again, it looks again."""
        users = UsersFile(str(self.path), TIME)
        users.startService()
        self.path.write_text("moshez:Busy\n")
        os.utime(self.path, (2, 2))
        self.hangs("stat")
        done = users.reload()
        await until(lambda: self.asked)
        users.stopService()
        self.assertTrue(done.called)
        self.assertEqual(self.asked, ["stat"])
        self.answers.set()
        users.startService()
        self.addCleanup(users.stopService)
        await users.reload()
        self.assertEqual(users.held("moshez"), User("moshez", status="Busy"))
