"""The store of statuses when the disk, the database or another program misbehaves."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from fingerd.interfaces import SettingRefused, Status
from fingerd.privileges import lesserUser
from fingerd.starting import CannotStart
from fingerd.statuses.database import NAME
from fingerd.statuses.sqlite import CANT_KEEP, DISK_FULL, LOCKED
from tests.kill import kill
from tests.setting import SetterDaemon
from tests.test_statuses_sqlite import SQLiteCase


async def outcome(setting: Deferred[None]) -> str:
    """C{"OK"}, or the words of the refusal."""
    try:
        await setting
    except SettingRefused as refused:
        return str(refused)
    return "OK"


class DiskFullTests(SQLiteCase):
    """A disk with no room, a real one."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            raise SkipTest("only root can mount a disk")
        os.mkdir(self.state, 0o700)
        mount = ["mount", "-t", "tmpfs", "-o", "size=400k,mode=700", "tmpfs", self.state]
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            raise SkipTest(f"no disk can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", self.state], check=True)

    def fill(self) -> str:
        """Take up all the room there is, with the file whose path this is."""
        filler = os.path.join(self.state, "filler")
        with open(filler, "wb", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    self.assertEqual(error.errno, errno.ENOSPC)
        return filler

    async def test_diskFull(self) -> None:
        """The client is told; what was set before stays; there is room again, and so it is set."""
        store = self.store()
        await store.setStatus("moshez", Status("Happy and well", 1.0))
        filler = self.fill()
        for number in range(200):
            setting = store.setStatus("shawn", Status(f"{number} " + "x" * 900, 1.0))
            words = await outcome(setting)
            if words != "OK":
                break
        self.assertEqual(words, DISK_FULL)
        self.assertEqual(self.shown(store), "Happy and well")
        before = self.shown(store, "shawn")
        self.assertEqual(before, f"{number - 1} " + "x" * 900 if number else None)
        os.unlink(filler)
        await store.setStatus("moshez", Status("Writing", 2.0))
        self.assertEqual(self.shown(store), "Writing")
        await store.stopService()
        again = self.store()
        self.assertEqual(self.shown(again), "Writing")
        self.assertEqual(self.shown(again, "shawn"), before)

    async def test_burst(self) -> None:
        """Where a whole burst finds no room, each of its clients is told."""
        store = self.store()
        await store.setStatus("moshez", Status("Happy and well", 1.0))
        filler = self.fill()
        settings = [store.setStatus(f"user{n}", Status("x" * 900, 1.0)) for n in range(200)]
        outcomes = [await outcome(setting) for setting in settings]
        self.assertLessEqual(set(outcomes), {"OK", DISK_FULL})
        self.assertIn(DISK_FULL, outcomes)
        for number, words in enumerate(outcomes):
            self.assertEqual(self.shown(store, f"user{number}") is not None, words == "OK")
        os.unlink(filler)
        await store.stopService()
        self.assertEqual(len(self.store()), 1 + outcomes.count("OK"))

    async def test_stop(self) -> None:
        """A daemon on a full disk can be stopped, and started when there is room."""
        store = self.store()
        await store.setStatus("moshez", Status("Happy and well", 1.0))
        filler = self.fill()
        await store.stopService()
        os.unlink(filler)
        self.assertEqual(self.shown(self.store()), "Happy and well")

    def test_start(self) -> None:
        """Where there is no room for the database, a start ends with one clear line."""
        self.fill()
        error = self.assertRaises(CannotStart, self.store)
        self.assertIn(f"can't keep statuses in {self.path}: ", str(error))
        self.assertNotIn("\n", str(error))


class LockedTests(SQLiteCase):
    """Another program that locks the database, and keeps it locked."""

    def lock(self) -> sqlite3.Connection:
        other = sqlite3.connect(self.path, isolation_level=None, timeout=0)
        other.execute("BEGIN IMMEDIATE")
        self.addCleanup(other.close)
        return other

    async def test_locked(self) -> None:
        """The client is told after a while, and setting works when the lock is gone."""
        store = self.store(statusesLocked=0.1)
        await store.setStatus("moshez", Status("Happy and well", 1.0))
        other = self.lock()
        for _ in range(2):
            setting = store.setStatus("moshez", Status("Writing", 2.0))
            self.assertEqual(await outcome(setting), LOCKED)
        self.assertEqual(self.shown(store), "Happy and well")
        other.execute("ROLLBACK")
        await store.setStatus("moshez", Status("Reading", 3.0))
        self.assertEqual(self.rows(), ["Happy and well", "Reading"])

    async def test_lockedShortly(self) -> None:
        """A lock that is soon gone is waited for."""
        store = self.store()
        other = self.lock()
        setting = store.setStatus("moshez", Status("Writing", 2.0))
        # The thread of the database waits for the lock by now, or soon.
        await deferToThread(self.assertFalse, setting.called)
        other.execute("COMMIT")
        await setting
        self.assertEqual(self.rows(), ["Writing"])

    async def test_stop(self) -> None:
        """Stopping waits for a lock no longer than setting does."""
        store = self.store(statusesLocked=0.1)
        self.lock()
        settings = [store.setStatus(f"user{n}", Status("x", 1.0)) for n in range(3)]
        outcomes = gatherResults([Deferred.fromCoroutine(outcome(d)) for d in settings])
        await store.stopService()
        self.assertEqual(self.successResultOf(outcomes), [LOCKED] * 3)

    def test_start(self) -> None:
        """A database that stays locked ends a start with one clear line."""
        with closing(sqlite3.connect(self._made())) as other:
            other.execute("BEGIN IMMEDIATE")
            error = self.assertRaises(CannotStart, self.store, statusesLocked=0.1)
        self.assertEqual(str(error), f"can't keep statuses in {self.path}: database is locked")

    def _made(self) -> str:
        os.mkdir(self.state, 0o700)
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("PRAGMA journal_mode=WAL")
        return self.path


class GoneTests(SQLiteCase):
    """A database that is taken away from under a running daemon."""

    async def test_removed(self) -> None:
        """What would be written to a removed file, and be lost, is not acknowledged."""
        store = self.store()
        await store.setStatus("moshez", Status("Happy and well", 1.0))
        shutil.rmtree(self.state)
        setting = store.setStatus("moshez", Status("Writing", 2.0))
        self.assertEqual(await outcome(setting), CANT_KEEP)
        self.assertEqual(self.shown(store), "Happy and well")

    async def test_replaced(self) -> None:
        """The same where a backup has been put in its place."""
        store = self.store()
        await store.setStatus("moshez", Status("Happy and well", 1.0))
        shutil.copy(self.path, f"{self.path}.backup")
        os.replace(f"{self.path}.backup", self.path)
        setting = store.setStatus("moshez", Status("Writing", 2.0))
        self.assertEqual(await outcome(setting), CANT_KEEP)


class UnusableTests(SQLiteCase):
    """A database that a daemon can't, or mustn't, use."""

    async def keepSome(self) -> None:
        store = self.store()
        await gatherResults(
            [store.setStatus(f"user{n}", Status("x" * 200, 1.0)) for n in range(500)]
        )
        await store.stopService()

    def contents(self) -> dict[str, bytes]:
        """What is in the files that hold statuses."""
        found = {}
        for name in os.listdir(self.state):
            with open(os.path.join(self.state, name), "rb") as file:
                found[name] = file.read()
        # The index of the log holds nothing, nor does an empty log: they come and go.
        return {name: data for name, data in found.items() if data and not name.endswith("-shm")}

    def refusal(self) -> str:
        """The line that ends a start, which must leave everything as it was."""
        before = self.contents()
        error = str(self.assertRaises(CannotStart, self.store))
        self.assertEqual(self.contents(), before)
        self.assertNotIn("\n", error)
        return error

    def damage(self, offset: int, data: bytes) -> None:
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    async def test_damagedPage(self) -> None:
        """A database with a page overwritten ends the start, and is left as it is."""
        await self.keepSome()
        self.damage(4096 * 10, random.Random(1).randbytes(4096))
        self.assertIn(f"the statuses in {self.path} are damaged (", self.refusal())

    async def test_damagedHeader(self) -> None:
        """So does one whose beginning is gone."""
        await self.keepSome()
        self.damage(0, bytes(100))
        self.assertIn(f"the statuses in {self.path} are damaged (", self.refusal())

    async def test_cut(self) -> None:
        """So does one that is cut short."""
        await self.keepSome()
        os.truncate(self.path, 4096 * 7)
        self.assertIn(f"the statuses in {self.path} are damaged (", self.refusal())

    async def test_damagedWithLog(self) -> None:
        """So does one with a log beside it that a crash left: nothing is moved over."""
        await self.keepSome()
        crash = f"""
import os, sqlite3
database = sqlite3.connect({self.path!r})
database.execute("UPDATE statuses SET status = 'changed'")
database.commit()
os.kill(os.getpid(), 9)
"""
        subprocess.run([sys.executable, "-c", crash], check=False)
        self.damage(0, bytes(16))
        self.assertEqual(set(self.contents()), {NAME, f"{NAME}-wal"})
        self.assertIn("are damaged", self.refusal())

    def test_foreign(self) -> None:
        """A file that is no database ends the start, and is left as it is."""
        os.mkdir(self.state, 0o700)
        with open(self.path, "w") as file:
            file.write("moshez:Happy and well\n" * 100)
        self.assertIn("are damaged (file is not a database)", self.refusal())

    async def test_newer(self) -> None:
        """A database that a newer program has written ends the start, and is left as it is."""
        await self.keepSome()
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("PRAGMA user_version = 1000")
        self.assertEqual(
            self.refusal(),
            f"the statuses in {self.path} were written by a newer fingerd: "
            "they have schema 1000, this one knows 1",
        )

    async def test_unfinished(self) -> None:
        """A database whose making was cut off is made again."""
        os.mkdir(self.state, 0o700)
        with open(self.path, "wb"):
            pass
        store = self.store()
        await store.setStatus("moshez", Status("Happy and well", 1.0))

    async def test_rollbackJournal(self) -> None:
        """A write that was cut off before the log was there is undone, and the start goes on."""
        os.mkdir(self.state, 0o700)
        crash = f"""
import os, sqlite3
database = sqlite3.connect({self.path!r})
database.execute("PRAGMA cache_size = 1")
database.execute("CREATE TABLE x (y)")
database.commit()
database.executemany("INSERT INTO x VALUES (?)", [("z" * 1000,)] * 1000)
os.kill(os.getpid(), 9)
"""
        subprocess.run([sys.executable, "-c", crash], check=False)
        self.assertIn(f"{NAME}-journal", os.listdir(self.state))
        store = self.store()
        await store.setStatus("moshez", Status("Happy and well", 1.0))
        with closing(sqlite3.connect(self.path)) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM x").fetchone(), (0,))


class ProcessTests(SQLiteCase):
    """A real daemon."""

    def home(self) -> str:
        home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, home)
        os.chmod(home, 0o755)
        return home

    def refused(self, home: str) -> str:
        """The last line of a daemon that doesn't start."""
        daemon = SetterDaemon(home)
        self.addCleanup(daemon.stop)
        self.assertFalse(daemon.answers(), "it started")
        self.assertEqual(daemon.process.wait(), 1)
        self.assertNotIn("Traceback", daemon.log)
        return daemon.log.splitlines()[-1].partition("[stderr#error] ")[2]

    def test_owner(self) -> None:
        """Started by root, all of the state is the lesser user's, and only theirs to enter."""
        if os.geteuid() != 0:
            raise SkipTest("only root becomes a lesser user")
        home = self.home()
        daemon = SetterDaemon(home)
        self.addCleanup(daemon.stop)
        self.assertTrue(daemon.answers())
        self.assertEqual(daemon.set("moshez", "Happy and well"), "OK")
        state = os.path.join(home, "state")
        self.assertEqual(stat.S_IMODE(os.stat(state).st_mode), 0o700)
        names = os.listdir(state)
        self.assertEqual(sorted(names), [NAME, f"{NAME}-shm", f"{NAME}-wal"])
        paths = [state, *(os.path.join(state, name) for name in names)]
        self.assertEqual({os.stat(path).st_uid for path in paths}, {lesserUser().uid})

    def test_unwritable(self) -> None:
        """A state directory that can't be written to ends the start: one line, exit status 1."""
        home = self.home()
        state = os.path.join(home, "state")
        os.mkdir(state, 0o500)
        if os.geteuid() == 0:
            os.chown(state, 65534, 65534)
        self.assertEqual(
            self.refused(home),
            f"can't keep statuses in {state}/{NAME}: unable to open database file",
        )

    def test_damaged(self) -> None:
        """So does a damaged database."""
        home = self.home()
        daemon = SetterDaemon(home)
        self.assertTrue(daemon.answers())
        self.assertEqual(daemon.set("moshez", "Happy and well"), "OK")
        self.assertEqual(daemon.end(signal.SIGTERM), -signal.SIGTERM)
        with open(os.path.join(home, "state", NAME), "r+b") as file:
            file.write(b"damaged")
        self.assertIn(" are damaged (file is not a database); ", self.refused(home))

    def test_killed(self) -> None:
        """A daemon that is killed while clients set statuses loses none it acknowledged."""
        counts = kill(4, self.home(), random.Random(4))
        self.assertEqual((counts.kills, counts.lost, counts.halfWritten), (4, 0, 0), str(counts))
        self.assertEqual(counts.found, counts.acknowledged)
        self.assertGreater(counts.acknowledged, 0)
