"""What is moved from one kind of store to another, and backups: with a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from twisted.internet import reactor

from fingerd.model.errors import CannotStart
from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import Entry, Part
from fingerd.stores.backups import readDirectory, readFile, writeDirectory
from fingerd.stores.database import NAME
from fingerd.stores.postgresql.postgresql_backup import readServer, writeServer
from fingerd.stores.postgresql.postgresql_store import PostgreSQLStore
from fingerd.stores.sqlite import SQLiteStore
from tests.stores.cluster import PATIENT, Cluster, PostgreSQLCase, forgetAll, url
from tests.stores.contract import StoreTests
from tests.stores.statuses import SQLiteCase, until
from tests.support.daemon import IS_ROOT, NOBODY, run

pytestmark = pytest.mark.xdist_group("postgresql moving")


def tearDownModule() -> None:
    """The server ends with the tests."""
    Cluster.remove()


class MovedTests(StoreTests):
    """
    Records that are moved, from SQLite to PostgreSQL and from there to SQLite: whatever was set,
    undone and erased before, all is as it was, and goes on so.
    """

    __test__ = True
    examples = 6

    async def store(self, limits: Limits = DEFAULTS) -> IStore:
        forgetAll()
        return self.started(SQLiteStore(self.folder(), reactor, limits=limits, now=self.clock))

    async def again(self, store: IStore) -> IStore:
        assert isinstance(store, SQLiteStore | PostgreSQLStore)
        await store.stopService()
        backup = os.path.join(self.folder(), "backup")
        with closing(sqlite3.connect(backup)) as into:
            if isinstance(store, PostgreSQLStore):
                readServer(url(), into, PATIENT, False)
            else:
                readDirectory(store.directory, into, PATIENT, True).close()
        if isinstance(store, PostgreSQLStore):
            state = self.folder()
            writeDirectory(state, backup, PATIENT)
            return self.started(SQLiteStore(state, reactor, limits=PATIENT, now=self.clock))
        forgetAll()
        writeServer(url(), backup, PATIENT)
        return self.started(PostgreSQLStore(url(), reactor, PATIENT, self.clock))

    async def done(self, store: IStore) -> None:
        assert isinstance(store, SQLiteStore | PostgreSQLStore)
        await store.stopService()

    def clock(self) -> float:
        return self.now

    def folder(self) -> str:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def started(self, store: SQLiteStore | PostgreSQLStore) -> IStore:
        store.startService()
        self.addCleanup(lambda: store.stopService() if store.running else None)
        return store


class PlacesTests(PostgreSQLCase):
    """Where nothing is written, and where nothing can be read."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.backup = os.path.join(self.folder, "backup")

    def read(self, alone: bool = False) -> None:
        with closing(sqlite3.connect(self.backup)) as into:
            readServer(url(), into, DEFAULTS, alone)

    async def test_notEmpty(self) -> None:
        """Where something is set already, nothing is written."""
        store = self.store()
        await store.set("moshez", Entry("Writing", 1.0))
        await store.stopService()
        self.read()
        with self.assertRaisesRegex(CannotStart, "there are statuses in .* already"):
            writeServer(url(), self.backup, DEFAULTS)
        self.assertEqual(self.rows(), ["Writing"])

    async def test_running(self) -> None:
        """
        A daemon of which nobody has set anything yet shows what is written into its database, and
        what is set then comes behind it.
        """
        store = self.store(statusesRefresh=3600.0)
        await store.set("moshez", Entry("Writing", 1.0, part=Part.PLAN))
        await store.set("moshez", Entry("Writing", 1.0))
        await store.stopService()
        self.read()
        forgetAll()
        store = self.store(statusesRefresh=3600.0)
        writeServer(url(), self.backup, DEFAULTS)
        await until(lambda: self.shown(store) == "Writing")
        await store.set("moshez", Entry("Reading", 2.0))
        self.assertEqual(await store.undo("moshez"), Part.STATUS)
        self.assertEqual(self.shown(store), "Writing")

    async def test_inUse(self) -> None:
        """What a daemon uses is backed up, and is not moved: what is set then would be lost."""
        store = self.store()
        await store.set("moshez", Entry("Writing", 1.0))
        with self.assertRaisesRegex(CannotStart, "is in use.*: stop the daemon first"):
            self.read(alone=True)
        os.unlink(self.backup)
        self.read()
        await store.stopService()

    async def test_changed(self) -> None:
        """Where what is written is not what was read, nothing of it is kept."""
        store = self.store()
        await store.set("moshez", Entry("Writing", 1.0))
        await store.stopService()
        self.read()
        self.server.run(
            "DELETE FROM fingerd.statuses",
            "CREATE FUNCTION fingerd.other() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN NEW.status = 'Other'; RETURN NEW; END$$",
            "CREATE TRIGGER other BEFORE INSERT ON fingerd.statuses "
            "FOR EACH ROW EXECUTE FUNCTION fingerd.other()",
        )
        with self.assertRaisesRegex(CannotStart, "what was written isn't what was read"):
            writeServer(url(), self.backup, DEFAULTS)
        self.assertEqual(self.rows(), [])

    def test_nothingThere(self) -> None:
        """A database without statuses, or with a newer version's, can't be read."""
        with self.assertRaisesRegex(CannotStart, "there are no statuses in postgresql:"):
            self.read()
        self.server.run(
            "CREATE SCHEMA fingerd",
            "CREATE TABLE fingerd.version AS SELECT 1000 AS version",
        )
        with self.assertRaisesRegex(CannotStart, "were written by a newer fingerd"):
            self.read()

    def test_noServer(self) -> None:
        """A server that isn't there is told of in a line."""
        nowhere, into = "postgresql://owner@/postgres?host=/nowhere", sqlite3.connect(":memory:")
        self.addCleanup(into.close)
        said = self.assertRaises(CannotStart, readServer, nowhere, into, DEFAULTS, False)
        self.assertIn("can't read statuses from postgresql://owner@/postgres: ", str(said))


class FilesTests(SQLiteCase):
    """A state directory, and backups in files."""

    def read(self, alone: bool = False) -> list[tuple[object, ...]]:
        """The statuses in a backup of it."""
        with closing(sqlite3.connect(":memory:")) as into:
            readDirectory(self.state, into, replace(DEFAULTS, statusesLocked=0.1), alone).close()
            return into.execute("SELECT status FROM statuses ORDER BY id").fetchall()

    def readFile(self) -> None:
        """Take the database for a backup."""
        with closing(sqlite3.connect(":memory:")) as into:
            readFile(self.path, into)

    def refusal(self, reading: Callable[[], object]) -> str:
        """Why something can't be read."""
        return str(self.assertRaises(CannotStart, reading))

    async def test_inUse(self) -> None:
        """What a daemon uses is backed up as it is at that moment, and is not moved."""
        store = self.store()
        await store.set("moshez", Entry("Writing", 1.0))
        self.assertEqual(self.read(), [("Writing",)])
        with self.assertRaisesRegex(CannotStart, "is in use.*: stop the daemon first"):
            self.read(alone=True)
        await store.set("moshez", Entry("Reading", 2.0))
        await store.stopService()
        self.assertEqual(self.read(alone=True), [("Writing",), ("Reading",)])
        # All of it is in one file.
        self.assertFalse(os.path.exists(f"{self.path}-wal"))

    async def test_damaged(self) -> None:
        """What is damaged is not taken for a backup of anything, and stays as it is."""
        store = self.store()
        await store.set("moshez", Entry("Writing", 1.0))
        await store.stopService()
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("UPDATE statuses SET set_at = 'yesterday'")
            database.commit()
        self.assertIn("row 1, of 'moshez', has no time", self.refusal(self.read))
        self.assertIn("row 1, of 'moshez', has no time", self.refusal(self.readFile))

    async def test_noBackup(self) -> None:
        """A database that has files beside it is not all there is: it is no backup."""
        store = self.store()
        await store.set("moshez", Entry("Writing", 1.0))
        self.assertIn("is no backup", self.refusal(self.readFile))
        await store.stopService()


class ProgramTests(PostgreSQLCase):
    """C{fingerd-state}, from a state directory into PostgreSQL and back."""

    async def test_thereAndBack(self) -> None:
        """
        All is there in the end, with its history; a backup of it can be restored to either, and
        where root does it, the directory is the daemon's user's.
        """
        home = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, home)
        home.chmod(0o755)
        one = SQLiteStore(str(home / "one"), reactor, now=lambda: self.now)
        one.startService()
        await one.set("moshez", Entry("Writing", 1.0, "uid 0 (root)"))
        await one.set("moshez", Entry("Gr\u00fc\u00dfe\t\\N", 2.5, "uid 1", 3000.0))
        await one.set("shawn", Entry("To do\nmore", 3.0, part=Part.PLAN))
        wanted = await one.history("moshez", 9, whole=True)
        await one.stopService()
        if IS_ROOT:
            # As a daemon leaves it that has become this user.
            run("chown", "-R", f"{NOBODY}:{NOBODY}", str(home / "one"))
        forgetAll()
        said = self.moved("copy", home / "one", url())
        self.assertRegex(said, "^postgresql://owner@.* has what was in .*: 3 entries of 2 users\n$")
        store = self.store()
        self.assertEqual(await store.history("moshez", 9, whole=True), wanted)
        self.moved("backup", url(), home / "backup")
        await store.stopService()
        self.moved("copy", url(), home / "two")
        self.moved("restore", home / "backup", home / "three")
        if IS_ROOT:
            self.assertEqual((home / "two").stat().st_uid, NOBODY)
        for place in ("two", "three"):
            with closing(sqlite3.connect(home / place / NAME)) as database:
                found = database.execute("SELECT status, set_at, set_by, until FROM statuses")
                self.assertEqual(
                    found.fetchall()[:2],
                    [(each.text, each.set, each.by, each.until) for each in wanted[::-1]],
                )

    def moved(self, verb: str, source: object, target: object) -> str:
        """What the program says."""
        program = str(Path(sys.executable).with_name("fingerd-state"))
        return run(program, verb, str(source), str(target)).decode()
