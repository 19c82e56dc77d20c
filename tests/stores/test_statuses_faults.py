"""The store of statuses when the disk or another program misbehaves."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SkipTest

from fingerd.model.errors import CannotStart
from fingerd.model.record import Entry
from fingerd.stores.kept import CANT_KEEP
from fingerd.stores.sqlite import DISK_FULL, LOCKED
from tests.stores.statuses import SQLiteCase, outcome
from tests.support.daemon import run


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
        await store.set("moshez", Entry("Happy and well", 1.0))
        filler = self.fill()
        for number in range(200):
            setting = store.set("shawn", Entry(f"{number} " + "x" * 900, 1.0))
            words = await outcome(setting)
            if words != "OK":
                break
        self.assertEqual(words, DISK_FULL)
        self.assertEqual(self.shown(store), "Happy and well")
        before = self.shown(store, "shawn")
        self.assertEqual(before, f"{number - 1} " + "x" * 900 if number else None)
        os.unlink(filler)
        await store.set("moshez", Entry("Writing", 2.0))
        self.assertEqual(self.shown(store), "Writing")
        await store.stopService()
        again = self.store()
        self.assertEqual(self.shown(again), "Writing")
        self.assertEqual(self.shown(again, "shawn"), before)

    async def test_burst(self) -> None:
        """Where a whole burst finds no room, each of its clients is told."""
        store = self.store()
        await store.set("moshez", Entry("Happy and well", 1.0))
        filler = self.fill()
        settings = [store.set(f"user{n}", Entry("x" * 900, 1.0)) for n in range(200)]
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
        await store.set("moshez", Entry("Happy and well", 1.0))
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
        await store.set("moshez", Entry("Happy and well", 1.0))
        other = self.lock()
        for _ in range(2):
            setting = store.set("moshez", Entry("Writing", 2.0))
            self.assertEqual(await outcome(setting), LOCKED)
        self.assertEqual(self.shown(store), "Happy and well")
        other.execute("ROLLBACK")
        await store.set("moshez", Entry("Reading", 3.0))
        self.assertEqual(self.rows(), ["Happy and well", "Reading"])

    async def test_lockedShortly(self) -> None:
        """A lock that is soon gone is waited for."""
        store = self.store()
        other = self.lock()
        setting = store.set("moshez", Entry("Writing", 2.0))
        # The thread of the database waits for the lock by now, or soon.
        await deferToThread(self.assertFalse, setting.called)
        other.execute("COMMIT")
        await setting
        self.assertEqual(self.rows(), ["Writing"])

    async def test_stop(self) -> None:
        """Stopping waits for a lock no longer than setting does."""
        store = self.store(statusesLocked=0.1)
        self.lock()
        settings = [store.set(f"user{n}", Entry("x", 1.0)) for n in range(3)]
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
        await store.set("moshez", Entry("Happy and well", 1.0))
        shutil.rmtree(self.state)
        setting = store.set("moshez", Entry("Writing", 2.0))
        self.assertEqual(await outcome(setting), CANT_KEEP)
        self.assertEqual(self.shown(store), "Happy and well")

    async def test_stop(self) -> None:
        """A daemon whose state directory was removed can be stopped."""
        store = self.store(statusesRefresh=3600.0)
        shutil.rmtree(self.state)
        await store.stopService()

    async def test_replaced(self) -> None:
        """The same where a backup has been put in its place."""
        store = self.store()
        await store.set("moshez", Entry("Happy and well", 1.0))
        shutil.copy(self.path, f"{self.path}.backup")
        os.replace(f"{self.path}.backup", self.path)
        setting = store.set("moshez", Entry("Writing", 2.0))
        self.assertEqual(await outcome(setting), CANT_KEEP)

    async def test_logRemoved(self) -> None:
        """
        The same where the log has been taken away; what was acknowledged before is there at the
        next start.
        """
        store = self.store()
        await store.set("moshez", Entry("Happy and well", 1.0))
        os.unlink(f"{self.path}-wal")
        setting = store.set("moshez", Entry("Writing", 2.0))
        self.assertEqual(await outcome(setting), CANT_KEEP)
        await store.stopService()
        self.assertEqual(self.shown(self.store()), "Happy and well")

    async def test_logEmptied(self) -> None:
        """
        The same where the log has been emptied; not where SQLite has done that, when it had moved
        all of it into the database.
        """
        store = self.store()
        await store.set("moshez", Entry("Happy and well", 1.0))
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        await store.set("moshez", Entry("Writing", 2.0))
        os.truncate(f"{self.path}-wal", 0)
        setting = store.set("moshez", Entry("Reading", 3.0))
        self.assertEqual(await outcome(setting), CANT_KEEP)
        self.assertEqual(self.shown(store), "Writing")

    async def test_overwritten(self) -> None:
        """
        Where something is written over the database, be it sound or not, a status is acknowledged
        only if that and all before it are there at the next start, since the log has them.
        """
        for moved in False, True:
            for written in "older", "other", "part", "nothing":
                store = self.store()
                await store.set("moshez", Entry("Happy and well", 1.0))
                # What is copied is whole: the log is in it.
                self.sql("PRAGMA wal_checkpoint(TRUNCATE)", f"VACUUM INTO '{self.path}.older'")
                await store.set("moshez", Entry("Writing", 2.0))
                copy = f"{self.path}.{written}"
                if written == "other":
                    run("cp", f"{self.path}.older", copy)
                    self.sql(
                        "INSERT INTO statuses VALUES (9, 'shawn', 'x', 1, '', NULL, 'status')",
                        to=copy,
                    )
                elif written != "older":
                    run("sh", "-c", f"head -c {4096 * (written == 'part')} {self.path} >{copy}")
                if moved:
                    self.sql("PRAGMA wal_checkpoint(TRUNCATE)")
                # As nobody should do it: cp opens the file that is there, and writes over it.
                run("cp", copy, self.path)
                said = await outcome(store.set("moshez", Entry("Reading", 3.0)))
                if moved or written == "nothing":
                    self.assertEqual(said, CANT_KEEP, (moved, written))
                    self.assertEqual(self.shown(store), "Writing")
                await store.stopService()
                if said == "OK":
                    again = self.store()
                    kept = [status.text for status in await again.history("moshez", 9)]
                    self.assertEqual(kept, ["Reading", "Writing", "Happy and well"])
                    await again.stopService()
                shutil.rmtree(self.state)

    def sql(self, *statements: str, to: str | None = None) -> None:
        """Let another program do something with the database."""
        script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as other:\n"
        script += "    other.isolation_level = None\n"
        script += "    for each in sys.argv[2:]: other.execute(each).fetchall()"
        run(sys.executable, "-c", script, to or self.path, *statements)


class SharedTests(SQLiteCase):
    """What other programs may do with the database."""

    async def test_logMoved(self) -> None:
        """Where another moves the log into the database, or writes to it, setting goes on."""
        store = self.store(statusesRefresh=0.01)
        for number in range(5):
            await store.set("moshez", Entry(f"{number}", 1.0))
            with closing(sqlite3.connect(self.path)) as other:
                other.execute(
                    "INSERT INTO statuses VALUES (NULL, 'shawn', 'x', 1, '', NULL, 'status')"
                )
                other.commit()
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        await store.set("moshez", Entry("Happy and well", 1.0))
        self.assertEqual(self.shown(store, "shawn"), "x")

    async def test_muchWritten(self) -> None:
        """So it does when so much has been set that the log was moved, again and again."""
        store = self.store()
        for number in range(30):
            settings = [store.set(f"u{n}", Entry(f"{number}" * 300, 1.0)) for n in range(100)]
            await gatherResults(settings)
        self.assertEqual(len(store), 100)

    async def test_badRow(self) -> None:
        """
        A row that makes no sense costs that row, which the log names, and nobody else's right to
        set.
        """
        store = self.store()
        await store.set("shawn", Entry("Reading", 1.0))
        with closing(sqlite3.connect(self.path)) as other:
            for login, text in ("'moshez'", "CAST(x'ff' AS TEXT)"), ("'shawn'", "x'41'"):
                values = f"(NULL, {login}, {text}, 1, '', NULL, 'status')"
                other.execute(f"INSERT INTO statuses VALUES {values}")
            other.commit()
        with capturedLogs() as events:
            await store.set("radix", Entry("Writing", 1.0))
        said = "\n".join(str(formatEvent(event)) for event in events)
        self.assertIn(f"{self.path}: row 2, of 'moshez', is not UTF-8, and is left out", said)
        self.assertIn(f"{self.path}: row 3, of 'shawn', has no text, and is left out", said)
        self.assertEqual([self.shown(store, of) for of in ("moshez", "shawn")], [None, "Reading"])
        self.assertEqual([s.text for s in await store.history("shawn", 9)], ["Reading"])
        self.assertEqual(await store.history("moshez", 9), [])
        await store.set("moshez", Entry("Happy and well", 1.0))
        self.assertEqual(self.shown(store), "Happy and well")
