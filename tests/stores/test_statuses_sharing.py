"""Several daemons on one state directory."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
import threading
from contextlib import closing

from twisted.internet.defer import gatherResults

from fingerd.model.record import Entry
from fingerd.stores.database import NAME
from tests.stores import sharing
from tests.stores.statuses import SQLiteCase
from tests.support.setting import SetterDaemon


class SharingTests(sharing.SharingRules, SQLiteCase):
    """SQLite's, and daemons in processes of their own."""

    async def test_many(self) -> None:
        """Very many statuses of another daemon are taken over bit by bit, before one's own."""
        one, two = (
            self.store(statusesAtOnce=10),
            self.store(statusesRefresh=3600.0, statusesAtOnce=10),
        )
        await gatherResults([one.set(f"user{n}", Entry("Writing", 1.0)) for n in range(95)])
        self.assertEqual(len(two), 0)
        await two.set("moshez", Entry("Reading", 1.0))
        # Acknowledged is seen, with all that was set before it.
        self.assertEqual(self.shown(two), "Reading")
        self.assertEqual(len(two), 96)

    def test_processes(self) -> None:
        """
        Two daemons that start at the same moment in an empty directory, and whose clients set
        statuses at the same time: all that is acknowledged is kept, and shows in both.
        """
        home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, home)
        os.chmod(home, 0o755)
        daemons = [SetterDaemon(home, f"sockets{number}") for number in range(3)]
        for daemon in daemons:
            self.addCleanup(daemon.stop)
        for daemon in daemons:
            self.assertTrue(daemon.answers(), daemon.log)
        acknowledged: list[tuple[str, str]] = []

        def setMany(daemon: SetterDaemon, name: str) -> None:
            for number in range(40):
                login, status = f"user{number % 5}", f"{name} {number}"
                answer = daemon.set(login, status)
                acknowledged.append((login, status if answer == "OK" else answer))

        threads = [
            threading.Thread(target=setMany, args=(daemon, f"client {number}"))
            for number, daemon in enumerate(daemons * 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with closing(sqlite3.connect(os.path.join(home, "state", NAME))) as database:
            kept = database.execute("SELECT login, status FROM statuses ORDER BY id").fetchall()
        self.assertEqual(sorted(kept), sorted(acknowledged))
        self.assertEqual(len(kept), 240)
        for login, status in dict(kept).items():
            for daemon in daemons:
                while (shown := daemon.ask(login)) != status:
                    self.assertIn((login, shown), kept)
        for daemon in daemons:
            self.assertEqual(daemon.end(signal.SIGTERM), -signal.SIGTERM)
