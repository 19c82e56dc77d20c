"""The query log: where its lines go, and what happens when they can't."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
from functools import partial
from pathlib import Path
from threading import Event
from typing import cast

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface.verify import verifyObject

from fingerd.logs.log_file import LogFile
from fingerd.logs.query_log import QueryLog
from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.system.privileges import Identity
from tests.support.ports import temporaryFolder, turn, until

PRESENT = Identity(None, None)


class QueryLogCase(TestCase):
    """A test with a query log of its own."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)
        self.path = self.folder / "query.log"

    def start(
        self, form: str = "text", where: str | None = None, limits: Limits = DEFAULTS
    ) -> QueryLog:
        """A query log that runs, until the test's end at most."""
        log = QueryLog(
            where or str(self.path), cast(IReactorTime, reactor), PRESENT, form, "full", limits
        )
        log.privilegedStartService()
        log.startService()
        self.addCleanup(lambda: log.stopService() if log.running else None)
        return log

    def ask(self, log: QueryLog, query: str = "moshez") -> None:
        log.asked("192.0.2.1", "tcp", query.encode(), "found", 16, 0.001)

    def queries(self, path: Path | None = None) -> list[str]:
        """The queries in a file; each line must be a whole one."""
        text = (path or self.path).read_text()
        lines = text.splitlines()
        for line in lines:
            self.assertRegex(
                line, '^time=[^ ]+ peer=[^ ]+ door=tcp query=".*" outcome=.* ms=[0-9.]+$'
            )
        self.assertTrue(text.endswith("\n") or not text)
        return [line.split('"')[1] for line in lines]


class FileTests(QueryLogCase):
    """A file of its own."""

    def test_interface(self) -> None:
        """It is what a finger port tells of its queries."""
        verifyObject(IQueryLog, QueryLog("-", Clock(), PRESENT))

    async def test_written(self) -> None:
        """Lines are in the file after a second, without another query."""
        log = self.start()
        self.ask(log, "moshez")
        self.ask(log, "radix")
        self.assertEqual(self.path.read_text(), "")
        await until(self.path.read_text)
        self.assertEqual(self.queries(), ["moshez", "radix"])
        self.ask(log, "glyph")
        await until(lambda: "glyph" in self.path.read_text())
        self.assertEqual(self.queries(), ["moshez", "radix", "glyph"])

    async def test_stop(self) -> None:
        """What was asked before the daemon stops is in the file when it has."""
        log = self.start("json")
        for number in range(1000):
            self.ask(log, f"user{number}")
        await log.stopService()
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        self.assertEqual([line["query"] for line in lines], [f"user{n}" for n in range(1000)])

    async def test_idle(self) -> None:
        """Nobody asks: nothing is done, not even by a timer."""
        log = self.start()
        self.ask(log)
        await until(self.path.read_text)
        # It is the test's own time limit.
        [timer] = cast(IReactorTime, reactor).getDelayedCalls()
        self.assertIn("TestCase", str(timer))
        await log.stopService()

    async def test_many(self) -> None:
        """Many lines are written before the second is over, in their order, none twice."""
        log = self.start()
        for number in range(20000):
            self.ask(log, str(number))
        await until(self.path.read_text)
        await log.stopService()
        self.assertEqual(self.queries(), [str(number) for number in range(20000)])

    async def test_added(self) -> None:
        """A file that is there is added to, behind the end of a line that was cut off."""
        self.path.write_text("an older line\nhalf of")
        log = self.start()
        self.ask(log)
        await log.stopService()
        older, half, line = self.path.read_text().splitlines()
        self.assertEqual((older, half), ("an older line", "half of"))
        self.assertIn('"moshez"', line)

    async def test_mode(self) -> None:
        """The file is for the daemon's user and group alone, whatever the umask."""
        for umask in (0, 0o077):
            before = os.umask(umask)
            try:
                await self.start().stopService()
            finally:
                os.umask(before)
            self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)
            self.path.unlink()


class ReopeningTests(QueryLogCase):
    """A file that is moved away, as logrotate does."""

    async def test_moved(self) -> None:
        """After it was moved away and the daemon was told, lines go to a new one; none is lost."""
        log = self.start()
        self.ask(log, "before")
        await until(self.path.read_text)
        old = self.path.rename(self.folder / "query.log.1")
        self.ask(log, "between")
        log.reopen()
        await until(self.path.exists)
        self.ask(log, "after")
        await log.stopService()
        self.assertEqual(self.queries(old) + self.queries(), ["before", "between", "after"])
        self.assertEqual(self.queries(old), ["before"])

    async def test_notMoved(self) -> None:
        """Told so without reason, it goes on in the same file."""
        log = self.start()
        self.ask(log, "before")
        log.reopen()
        log.reopen()
        self.ask(log, "after")
        await log.stopService()
        self.assertEqual(self.queries(), ["before", "after"])

    async def test_cutOff(self) -> None:
        """A file that was copied and emptied goes on from its beginning."""
        log = self.start()
        self.ask(log, "before")
        await until(self.path.read_text)
        os.truncate(self.path, 0)
        self.ask(log, "after")
        await log.stopService()
        self.assertEqual(self.queries(), ["after"])

    async def test_othersLine(self) -> None:
        """
        Another process has begun a line, and the disk is full: until that line has its end nothing
        comes into it. Where the process is killed instead, a new line begins.
        """
        log = self.start()
        for end in (b"the end\n", b""):
            other = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            fcntl.flock(other, fcntl.LOCK_EX)
            before = self.path.stat().st_size
            os.write(other, b"a line without ")
            self.ask(log, "moshez")
            log._handOn()
            await until(partial(_isWaitedFor, other))
            self.assertEqual(self.path.read_bytes()[before:], b"a line without ")
            os.write(other, end)
            os.close(other)
            while self.path.read_bytes().count(b"\n", before) < 2:
                await turn()
            first, second = self.path.read_bytes()[before:].splitlines()
            self.assertEqual(first, b"a line without " + end.rstrip())
            self.assertIn(b'query="moshez"', second)
        await log.stopService()

    async def test_laterPossible(self) -> None:
        """As soon as the new one can be opened, it goes on in that, without being told again."""
        log = self.start()
        old = self.path.rename(self.folder / "query.log.1")
        self.path.mkdir()
        log.reopen()
        self.ask(log, "before")
        await until(old.read_text)
        self.path.rmdir()
        self.ask(log, "after")
        await log.stopService()
        self.assertEqual(self.queries(), ["after"])

    async def test_impossible(self) -> None:
        """Where the new one can't be opened, it goes on in the old one, and says so."""
        log = self.start()
        old = self.path.rename(self.folder / "query.log.1")
        self.path.mkdir()
        with capturedLogs() as events:
            log.reopen()
            self.ask(log)
            await log.stopService()
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                f"{self.path} can't be opened again (Is a directory): queries are still logged to "
                "the file that was open"
            ],
        )
        self.assertEqual(self.queries(old), ["moshez"])


class DiskFullTests(QueryLogCase):
    """A disk with no room, a real one."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            raise SkipTest("only root can mount a disk")
        mount = ["mount", "-t", "tmpfs", "-o", "size=400k,mode=700", "tmpfs", str(self.folder)]
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            raise SkipTest(f"no disk can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.folder)], check=True)
        self.filler = self.folder / "filler"

    def fill(self, leaving: int = 0) -> None:
        """Take up all the room there is."""
        with open(self.filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                file.truncate(file.tell() - leaving)

    async def test_diskFull(self) -> None:
        """
        Queries go on, and it is said once that they aren't logged; when there is room again, all
        lines are there, each in one piece, and that is said too.
        """
        log = self.start()
        self.fill(leaving=8192)
        asked = [f"user{number}" for number in range(500)]
        with capturedLogs() as events:
            for query in asked:
                self.ask(log, query)
            await until(lambda: events)
            [said] = map(formatEvent, events)
            self.assertEqual(
                said,
                f"{self.path}: queries can't be logged (No space left on device); they are "
                "answered, and as many lines as there is room for are kept for later",
            )
            # The begin of a line may be on the disk already.
            self.assertEqual(self.path.stat().st_size % 4096, 0)
            self.filler.unlink()
            await until(lambda: len(events) > 1)
            self.assertEqual(
                formatEvent(events[1]), f"{self.path}: queries are logged again; 0 were not"
            )
            await log.stopService()
        self.assertEqual(len(events), 2)
        self.assertEqual(self.queries(), asked)

    async def test_moved(self) -> None:
        """A line that was cut by a full disk is whole in the file that takes the place."""
        log = self.start()
        self.fill(leaving=8192)
        with capturedLogs() as events:
            for number in range(500):
                self.ask(log, f"user{number}")
            await until(lambda: events)
            old = self.path.rename(self.folder / "query.log.1")
            self.filler.unlink()
            log.reopen()
            await log.stopService()
        *whole, cut = old.read_text().split("\n")
        asked = [line.split('"')[1] for line in whole] + self.queries()
        self.assertEqual(asked, [f"user{number}" for number in range(500)])
        self.assertTrue(self.path.read_text().startswith(cut))

    async def test_stop(self) -> None:
        """A daemon on a full disk can be stopped, and says that lines were lost."""
        log = self.start()
        self.fill()
        with capturedLogs() as events:
            self.ask(log)
            await log.stopService()
        self.assertEqual(
            formatEvent(events[-1]), f"{self.path}: some queries were not logged at the end"
        )


class Stuck(QueryLogCase):
    """A disk that takes its time."""

    def setUp(self) -> None:
        super().setUp()
        self.goOn = Event()
        self.addCleanup(self.goOn.set)
        write = LogFile._write

        def waits(file: LogFile, data: bytes) -> int:
            self.goOn.wait()
            return write(file, data)

        self.patch(LogFile, "_write", waits)

    async def test_slow(self) -> None:
        """
        While the disk is stuck, queries go on and memory is bounded: what finds no room is counted,
        and said when the disk works again.
        """
        log = self.start(limits=Limits(queryLogWaiting=100_000))
        with capturedLogs() as events:
            for number in range(5000):
                self.ask(log, f"{number:05}")
            [said] = map(formatEvent, events)
            self.assertEqual(
                said,
                f"{self.path}: too many lines wait to be written: queries are answered and not "
                "logged",
            )
            self.goOn.set()
            await until(lambda: len(events) > 1)
            self.ask(log, "later")
            await log.stopService()
        size = self.path.stat().st_size
        self.assertLess(size, 101_000)
        logged = self.queries()
        self.assertEqual(logged, [*(f"{n:05}" for n in range(len(logged) - 1)), "later"])
        self.assertEqual(
            formatEvent(events[1]),
            f"{self.path}: queries are logged again; {5000 + 1 - len(logged)} were not",
        )

    async def test_stop(self) -> None:
        """A daemon doesn't wait for ever for such a disk when it stops."""
        log = self.start(limits=Limits(stopTime=0.01))
        self.ask(log)
        with capturedLogs() as events:
            await log.stopService()
        self.assertEqual(
            [formatEvent(event) for event in events],
            [f"{self.path}: some queries were not logged at the end"],
        )


class StandardLogTests(QueryLogCase):
    """The daemon's own log."""

    def test_oneEvent(self) -> None:
        """The lines of a second are one event of the daemon's log, since each has its cost."""
        clock = Clock()
        log = QueryLog("-", clock, PRESENT, "text")
        log.privilegedStartService()
        log.startService()
        with capturedLogs() as events:
            for query in ("moshez", "radix\x1b\n"):
                self.ask(log, query)
            self.assertEqual(events, [])
            clock.advance(1)
            log.reopen()
            [event] = events
            self.ask(log, "late")
            self.successResultOf(log.stopService())
        self.assertEqual(len(events), 2)
        lines = str(formatEvent(event)).split("\n")
        self.assertEqual([line.split('"')[1] for line in lines], ["moshez", r"radix\u001b\n"])
        self.assertEqual(clock.getDelayedCalls(), [])


def _isWaitedFor(lock: int) -> bool:
    """Whether somebody waits for this lock on a file."""
    info = os.fstat(lock)
    place = f":{info.st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and place in line for line in lines)
