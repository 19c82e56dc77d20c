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
from fingerd.model.record import Entry
from fingerd.stores.database import NAME
from fingerd.system.privileges import lesserUser
from tests.kill import kill
from tests.stores.statuses import SQLiteCase
from tests.support.daemon import ROOT
from tests.support.setting import SetterDaemon

# Makes a database, and is killed the first time that this happens.
_CUT = """
import os, sys
from twisted.internet import reactor
from fingerd.stores.sqlite import SQLiteStore
def hook(event, arguments):
    if event == {event!r} and {state!r} in str(arguments):
        os.kill(os.getpid(), 9)
sys.addaudithook(hook)
SQLiteStore({state!r}, reactor).startService()
"""


class UnusableTests(SQLiteCase):
    """A database that a daemon can't, or mustn't, use."""

    async def keepSome(self) -> None:
        store = self.store()
        await gatherResults([store.set(f"user{n}", Entry("x" * 200, 1.0)) for n in range(500)])
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

    async def test_emptied(self) -> None:
        """A database of length zero ends the start: there was one, of which nothing is left."""
        await self.keepSome()
        os.truncate(self.path, 0)
        self.assertIn("are damaged (the file is empty)", self.refusal())

    def test_neverEmpty(self) -> None:
        """However its making is cut off, no empty database is left, and the next start makes it."""
        os.mkdir(self.state, 0o700)
        for event in "sqlite3.connect", "os.link", "os.remove":
            crash = _CUT.format(state=self.state, event=event)
            done = subprocess.run([sys.executable, "-c", crash], cwd=ROOT, check=False)
            self.assertEqual(done.returncode, -signal.SIGKILL)
            if os.path.exists(self.path):
                self.assertGreater(os.path.getsize(self.path), 0)
        self.store()

    async def change(self, *statements: str) -> None:
        """Meddle with a database that has some statuses."""
        await self.keepSome()
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("PRAGMA writable_schema = ON")
            for statement in statements:
                database.execute(statement)

    async def test_notText(self) -> None:
        """A status that isn't UTF-8, is no text or has no time ends the start, and is named."""
        for bad, words in (
            ("status = CAST(x'ff' AS TEXT)", "is not UTF-8"),
            ("status = x'41'", "has no text"),
            ("set_at = 9e999", "has no time"),
            ("until = 1e300", "has no time"),
        ):
            await self.change(f"UPDATE statuses SET {bad} WHERE login = 'user7'")
            with closing(sqlite3.connect(self.path)) as database:
                query = "SELECT max(id) FROM statuses WHERE login = 'user7'"
                [number] = database.execute(query).fetchone()
            self.assertIn(f"are damaged (row {number}, of 'user7', {words})", self.refusal())
            shutil.rmtree(self.state)

    async def test_schema(self) -> None:
        """So does a schema that is another than the one that was made."""
        for statement, words in (
            ("DROP VIEW lasting", "the view lasting is"),
            ("ALTER TABLE statuses ADD COLUMN more", "the table statuses is"),
            ("DROP INDEX statuses_of_login", "the index statuses_of_login is"),
            (
                "CREATE TRIGGER t AFTER INSERT ON statuses BEGIN DELETE FROM statuses; END",
                "the trigger t is",
            ),
        ):
            await self.change(statement)
            self.assertIn(f"are damaged ({words} not as it was made)", self.refusal())
            shutil.rmtree(self.state)

    async def test_index(self) -> None:
        """So does an index that lies about its table."""
        await self.keepSome()
        ours = "FROM sqlite_schema WHERE name = 'statuses_of_login'"
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("PRAGMA writable_schema = ON")
            index = database.execute(f"SELECT * {ours}").fetchone()
            database.execute(f"DELETE {ours}")
        # Nobody knows of the index now, nor keeps it.
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("UPDATE statuses SET login = 'other' WHERE login = 'user7'")
            database.execute("PRAGMA writable_schema = ON")
            database.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
        with closing(sqlite3.connect(self.path)) as database:
            self.assertEqual(database.execute("PRAGMA quick_check").fetchall(), [("ok",)])
        self.assertIn("are damaged (row ", self.refusal())

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
        await store.set("moshez", Entry("Happy and well", 1.0))
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
        path = os.path.join(home, "state", NAME)
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE statuses SET status = CAST(x'ff' AS TEXT)")
            database.commit()
        self.assertIn(" are damaged (row 1, of 'moshez', is not UTF-8); ", self.refused(home))
        with open(path, "r+b") as file:
            file.write(b"damaged")
        self.assertIn(" are damaged (file is not a database); ", self.refused(home))
        os.truncate(path, 0)
        self.assertIn(" are damaged (the file is empty); ", self.refused(home))

    def test_killed(self) -> None:
        """A daemon that is killed while clients set statuses loses none it acknowledged."""
        counts = kill(4, self.home(), random.Random(4))
        self.assertEqual((counts.kills, counts.lost, counts.halfWritten), (4, 0, 0), str(counts))
        self.assertGreater(counts.acknowledged.total(), 0)
