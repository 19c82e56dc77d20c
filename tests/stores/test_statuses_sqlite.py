"""Statuses in SQLite: what is acknowledged stays."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import gatherResults

from fingerd.model.record import Entry
from fingerd.stores.database import NAME
from tests.stores import keeping
from tests.stores.statuses import SQLiteCase


class KeepingTests(keeping.KeepingRules, SQLiteCase):
    """SQLite's."""

    async def test_disk(self) -> None:
        """A commit waits for the disk, not only for the system."""
        store = self.store()
        await store.set("moshez", Entry("Happy and well", 1.5))
        assert store._pool is not None
        self.assertEqual(await store._pool.runQuery("PRAGMA journal_mode"), [("wal",)])
        self.assertEqual(await store._pool.runQuery("PRAGMA synchronous"), [(2,)])

    async def test_closed(self) -> None:
        """The log beside the database is only there while it is open."""
        store = self.store()
        await store.set("moshez", Entry("Happy and well", 1.5))
        await store.stopService()
        self.assertEqual(os.listdir(self.state), [NAME])

    async def test_together(self) -> None:
        """What is set while a commit is under way shares the next one."""
        store = self.store(statusesRefresh=3600.0)
        batches: list[int] = []
        turn = store._database.turn

        def counted(cursor: sqlite3.Cursor, settings: Sequence[Any], seen: int) -> Any:
            batches.append(len(settings))
            return turn(cursor, settings, seen)

        self.patch(store._database, "turn", counted)
        await gatherResults(
            [store.set(f"user{number}", Entry("Writing", 1.0)) for number in range(50)]
        )
        self.assertEqual(batches, [1, 49])
        self.assertEqual(len(store), 50)

    def test_nothingImportedLater(self) -> None:
        """Once the store is made, it imports nothing more: its user might not be allowed to."""
        program = f"""
import sqlite3, sys
from twisted.internet import reactor, task
from fingerd.model.errors import SettingRefused
from fingerd.model.record import Entry
from fingerd.stores.sqlite import SQLiteStore

@task.react
async def main(reactor):
    store = SQLiteStore({self.state!r}, reactor)
    before = set(sys.modules)
    store.startService()
    await store.set("moshez", Entry("Writing", 1.0, "", 2.0))
    store.held("moshez")
    await store.stopService()
    print(sorted(set(sys.modules) - before))
"""
        run = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        self.assertEqual((run.stdout, run.stderr), ("[]\n", ""))
