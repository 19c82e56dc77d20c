"""Statuses that a daemon can't, or mustn't, use, and daemons that are killed."""

from __future__ import annotations

import hashlib
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
from typing import cast

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SkipTest

from fingerd.model.errors import CannotStart
from fingerd.model.record import Status
from fingerd.stores.database import NAME
from fingerd.system.privileges import lesserUser
from tests.kill import kill
from tests.stores.statuses import SQLiteCase
from tests.support.setting import SetterDaemon


class UnusableTests(SQLiteCase):
    """A database that a daemon can't, or mustn't, use."""

    async def keepSome(self) -> None:
        store = self.store()
        await gatherResults(
            [store.setStatus(f"user{n}", Status("x" * 200, 1.0)) for n in range(500)]
        )
        await store.stopService()

    def contents(self) -> dict[str, str]:
        """What tells whether a byte changed in the files that hold statuses."""
        found: dict[str, bytes] = {}
        for name in os.listdir(self.state):
            with open(os.path.join(self.state, name), "rb") as file:
                found[name] = file.read()
        # The index of the log holds nothing, nor does an empty log: they come and go.
        return {
            name: hashlib.sha256(data).hexdigest()
            for name, data in found.items()
            if data and not name.endswith("-shm")
        }

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
            "they have schema 1000, this one knows 2",
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
        self.assertEqual({os.stat(path).st_uid for path in paths}, {lesserUser("nobody").uid})

    def test_unwritable(self) -> None:
        """A state directory that can't be written to ends the start: one line, exit status 1."""
        home = self.home()
        state = os.path.join(home, "state")
        os.mkdir(state, 0o500)
        if os.geteuid() == 0:
            nobody = lesserUser("nobody")
            os.chown(state, cast(int, nobody.uid), cast(int, nobody.gid))
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
