"""Every store there is, by the tests that all have in common, and what else is kept of a record."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.internet import reactor

from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import YES, Entry, Part, Record
from fingerd.stores.database import NAME
from fingerd.stores.memory import MemoryStore
from fingerd.stores.sqlite import SQLiteStore
from tests.stores.contract import StoreTests
from tests.stores.statuses import SQLiteCase, until

# A database as it was written before there was more to a record than a status.
FIRST = Path(__file__).with_name("first_schema.sql")


class MemoryTests(StoreTests):
    """Records in memory."""

    __test__ = True

    async def store(self, limits: Limits = DEFAULTS) -> IStore:
        return MemoryStore(lambda: self.now, limits)


class SQLiteTests(StoreTests):
    """Records in SQLite."""

    __test__ = True

    async def store(self, limits: Limits = DEFAULTS) -> IStore:
        state = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, state)
        store = SQLiteStore(state, reactor, limits=limits, now=lambda: self.now)
        store.startService()
        self.addCleanup(lambda: store.stopService() if store.running else None)
        return store

    async def again(self, store: IStore) -> IStore:
        assert isinstance(store, SQLiteStore)
        await store.stopService()
        store = SQLiteStore(store.directory, reactor, now=lambda: self.now)
        store.startService()
        self.addCleanup(lambda: store.stopService() if store.running else None)
        return store

    async def done(self, store: IStore) -> None:
        assert isinstance(store, SQLiteStore)
        await store.stopService()


class UpgradeTests(SQLiteCase):
    """A database that the first version has written."""

    def old(self) -> None:
        os.mkdir(self.state, 0o700)
        with closing(sqlite3.connect(self.path)) as database:
            database.executescript(FIRST.read_text("utf-8"))

    async def test_upgrade(self) -> None:
        """All statuses are kept, with who set them, when and until when; and more can be set."""
        self.old()
        store = self.store()
        below = Entry("Writing", 10.5, "uid 1000 (moshez)")
        lunch = Entry("At lunch \u2603", 20.0, "uid 0 (root)", 5000.0)
        self.assertEqual(store.held("moshez"), Record(lunch))
        self.assertEqual(store.held("gone"), Record())
        self.assertEqual(await store.history("moshez", 10), [lunch, below])
        self.assertEqual(len(await store.history("gone", 10, whole=True)), 2)
        plan = Entry("To write", 30.0, "uid 1000 (moshez)", None, Part.PLAN)
        await store.set("moshez", plan)
        await store.stopService()
        self.now = 6000.0
        self.assertEqual(self.store().held("moshez"), Record(below, plan))

    async def test_twoAtOnce(self) -> None:
        """Two daemons that start on it at once both have all of it."""
        self.old()
        one, two = self.store(statusesRefresh=0.01), self.store(statusesRefresh=0.01)
        self.assertEqual(one.held("moshez"), two.held("moshez"))
        await one.set("moshez", Entry(YES, 1.0, part=Part.HIDDEN))
        await until(lambda: two.held("moshez").hidden is not None)


class SharingTests(SQLiteCase):
    """What is taken back, with several daemons on one state directory."""

    async def test_undone(self) -> None:
        """What one takes back, or erases, the other doesn't show any more."""
        one, two = self.store(statusesRefresh=0.01), self.store(statusesRefresh=0.01)
        await one.set("moshez", Entry("Writing", 1.0))
        await one.set("moshez", Entry("Busy", 2.0))
        await until(lambda: self.shown(two) == "Busy")
        await one.undo("moshez")
        await until(lambda: self.shown(two) == "Writing")
        await two.undo("moshez")
        await until(lambda: self.shown(one) is None)
        await one.set("moshez", Entry("To write", 3.0, part=Part.PLAN))
        await until(lambda: two.held("moshez").plan is not None)
        await two.erase("moshez")
        await until(lambda: one.held("moshez") == Record())

    async def test_nothingLeft(self) -> None:
        """Of what was erased nothing is left in the files, once the daemon has stopped."""
        store = self.store()
        for number in range(20):
            await store.set("moshez", Entry(f"Secret {number} " + "x" * 800, 1.0, "Somebody"))
        await store.set("moshez", Entry("Secret" * 9000, 1.0, part=Part.PLAN))
        await store.erase("moshez")
        await store.stopService()
        self.assertEqual(os.listdir(self.state), [NAME])
        data = Path(self.path).read_bytes()
        self.assertNotIn(b"Secret", data)
        self.assertNotIn(b"Somebody", data)
