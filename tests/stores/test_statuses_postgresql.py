"""Statuses in PostgreSQL: with a real server."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent

from fingerd.model.errors import CannotStart
from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import Entry, Part
from fingerd.stores.kept import CANT_KEEP
from fingerd.stores.postgresql.postgresql_server import Unreachable
from fingerd.stores.postgresql.postgresql_store import UNCERTAIN, PostgreSQLStore
from tests.directories.servers import PostgreSQLServer
from tests.stores import keeping, sharing
from tests.stores.bouncer import Bouncer
from tests.stores.cluster import PATIENT, Cluster, PostgreSQLCase, forgetAll, url
from tests.stores.contract import StoreTests
from tests.stores.statuses import outcome, until
from tests.support.daemon import TWISTD, Daemon, run

# They share a server.
pytestmark = pytest.mark.xdist_group("postgresql statuses")


def tearDownModule() -> None:
    """The server ends with them."""
    Cluster.remove()


class RecordTests(StoreTests):
    """Records in PostgreSQL."""

    __test__ = True
    examples = 8

    async def store(self, limits: Limits = DEFAULTS) -> IStore:
        forgetAll()
        return self.started(limits)

    async def again(self, store: IStore) -> IStore:
        await self.done(store)
        return self.started(DEFAULTS)

    async def done(self, store: IStore) -> None:
        assert isinstance(store, PostgreSQLStore)
        await store.stopService()

    def url(self) -> str:
        """The database."""
        return url()

    def started(self, limits: Limits) -> IStore:
        """A store on what is in the database."""
        limits = replace(limits, databaseTime=60.0, statusesLocked=60.0)
        store = PostgreSQLStore(self.url(), reactor, limits, lambda: self.now)
        store.startService()
        self.addCleanup(lambda: store.stopService() if store.running else None)
        return store


class KeepingTests(keeping.KeepingRules, PostgreSQLCase):
    """One daemon."""


class SharingTests(sharing.SharingRules, PostgreSQLCase):
    """Several."""

    async def test_told(self) -> None:
        """What another machine sets shows when the server says so, long before it is looked for."""
        one, two = self.store(statusesRefresh=3600.0), self.store(statusesRefresh=3600.0)
        for number in range(5):
            await one.set("moshez", Entry(f"status {number}", 1.0))
            await until(partial(self.isShown, two, f"status {number}"))

    def isShown(self, store: PostgreSQLStore, text: str) -> bool:
        return self.shown(store) == text

    async def test_badRow(self) -> None:
        """
        A row of others' that makes no sense, while the daemon runs, costs that row, which the log
        names, and nobody else's right to set. At the start it ends that.
        """
        store = self.store(statusesRefresh=3600.0)
        await store.set("shawn", Entry("Reading", 1.0))
        with self.connected() as other:
            for values in (
                "('moshez', 'Happy', 1, '', NULL, 'mood')",
                "('moshez', 'Happy', 'NaN', '', NULL, 'status')",
                "('shawn', 'Happy', 1, '', 'infinity', 'status')",
            ):
                other.execute(
                    "INSERT INTO fingerd.statuses (login, status, set_at, set_by, until, part) "
                    f"VALUES {values}".encode()
                )
        with capturedLogs() as events:
            await store.set("radix", Entry("Writing", 1.0))
        said = "\n".join(str(formatEvent(event)) for event in events)
        for words in (
            "row 2, of 'moshez', is of no part that there is, and is left out",
            "row 3, of 'moshez', has no time, and is left out",
            "row 4, of 'shawn', has no time, and is left out",
        ):
            self.assertIn(words, said)
        self.assertEqual([self.shown(store, of) for of in ("moshez", "shawn")], [None, "Reading"])
        kept = await store.history("shawn", 9, whole=True)
        self.assertEqual([each.text for each in kept], ["Reading"])
        with self.assertRaises(CannotStart) as raised:
            self.store()
        self.assertIn("damaged: row 2, of 'moshez', is of no part", str(raised.exception))

    async def test_lateCommit(self) -> None:
        """
        What is written earlier and committed later is not missed: whoever writes next waits for it.
        """
        reading = self.store(statusesRefresh=0.01)
        writing = self.store(statusesRefresh=3600.0)
        with self.connected() as other:
            # As a store does that stands still before its commit.
            other.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(b"finger"),))
            other.execute(
                "INSERT INTO fingerd.statuses (login, status, set_at, set_by) "
                "VALUES ('shawn', 'Reading', 1, '')"
            )
            setting = writing.set("moshez", Entry("Writing", 1.0))
            with self.connected() as third:
                while not third.execute(
                    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                ).fetchall():
                    await deferLater(reactor, 0.01)
            self.assertFalse(setting.called)
            self.assertIsNone(self.shown(reading))
        await setting
        await until(lambda: self.shown(reading) == "Writing")
        self.assertEqual(self.shown(reading, "shawn"), "Reading")


def saidMore(events: Sequence[LogEvent], words: str, since: int) -> bool:
    """Whether one of the events since then says this."""
    return any(words in formatEvent(event) for event in events[since:])


class LostTests(PostgreSQLCase):
    """A server that isn't always there."""

    async def test_olderBackup(self) -> None:
        """
        When a backup is put in the place of the database, nothing is acknowledged that would not
        show, and the log says why; a daemon that is started anew has what the backup has.
        """
        store = self.store(statusesRefresh=3600.0)
        for number in range(5):
            await store.set("moshez", Entry(f"status {number}", 1.0))
        self.server.run("TRUNCATE fingerd.statuses RESTART IDENTITY")
        with capturedLogs() as events:
            self.assertEqual(await outcome(store.set("shawn", Entry("Reading", 1.0))), CANT_KEEP)
        said = "\n".join(str(formatEvent(event)) for event in events)
        self.assertIn("they were replaced by older ones: start this daemon anew", said)
        self.assertEqual(self.rows(login="shawn"), [])
        await store.stopService()
        again = self.store()
        await again.set("shawn", Entry("Reading", 1.0))
        self.assertEqual(self.shown(again, "shawn"), "Reading")

    async def test_killed(self) -> None:
        """Connections that are killed cost no acknowledged status, and others take their place."""
        store = self.store()
        acknowledged = []
        for number in range(30):
            if number % 3 == 0:
                self.server.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'fingerd'"
                )
            said = await outcome(store.set("moshez", Entry(f"status {number}", 1.0)))
            if said == "OK":
                acknowledged.append(f"status {number}")
            else:
                self.assertIn(said, (CANT_KEEP, UNCERTAIN))
        self.assertGreaterEqual(len(acknowledged), 20)
        kept = self.rows()
        self.assertEqual([status for status in acknowledged if status not in kept], [])
        self.assertEqual(self.shown(store), kept[-1])
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_stopped(self) -> None:
        """
        While the server is stopped, what was read shows and setting is refused in words; when it
        is back, what was set elsewhere shows again.
        """
        store = self.store(statusesRefresh=0.05)
        await store.set("moshez", Entry("Writing", 1.0))
        self.server.stop()
        try:
            said = await outcome(store.set("moshez", Entry("Reading", 1.0)))
            self.assertEqual(said, CANT_KEEP)
            self.assertEqual(self.shown(store), "Writing")
        finally:
            self.server.start()
        with self.connected() as other:
            other.execute(
                "INSERT INTO fingerd.statuses (login, status, set_at, set_by) "
                "VALUES ('shawn', 'Reading', 1, '')"
            )
        await until(lambda: self.shown(store, "shawn") == "Reading")
        self.assertEqual(await outcome(store.set("moshez", Entry("Back", 1.0))), "OK")
        self.assertEqual(self.rows(), ["Writing", "Back"])
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_said(self) -> None:
        """Why nothing can be kept the log says once, also where it is now this and now that."""
        store = self.store(statusesRefresh=3600.0)
        troubles = cycle([Unreachable("no route"), Unreachable("it says nothing")])
        failing = mock.patch.object(store._server, "turn", side_effect=troubles)
        with capturedLogs() as events, failing:
            for _ in range(6):
                said = await outcome(store.set("moshez", Entry("Reading", 1.0)))
                self.assertEqual(said, CANT_KEEP)
        lines = [formatEvent(event) for event in events if event["log_level"] is LogLevel.error]
        self.assertEqual(len(lines), 2, lines)
        with capturedLogs() as events:
            await store.set("moshez", Entry("Reading", 1.0))
        self.assertIn("statuses are kept again", "".join(map(str, map(formatEvent, events))))

    async def test_saidAgain(self) -> None:
        """When it is lost, the log says so, and when it is back, though nobody sets anything."""
        self.store(statusesRefresh=0.05)
        with capturedLogs() as events:
            for _ in range(2):
                lost = partial(saidMore, events, "can't be kept or read", len(events))
                self.server.stop()
                try:
                    await until(lost)
                    back = partial(saidMore, events, "are kept again", len(events))
                finally:
                    self.server.start()
                await until(back)

    async def test_uncertain(self) -> None:
        """Where the server is lost in its commit, the client isn't told that nothing was set."""
        store = self.store()
        self.server.run(
            "CREATE FUNCTION fingerd.die() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON fingerd.statuses "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fingerd.die()",
        )
        said = await outcome(store.set("moshez", Entry("Reading", 1.0)))
        self.assertEqual(said, UNCERTAIN)

    async def test_otherAddress(self) -> None:
        """Of several servers the one is used that can be written to."""
        other = PostgreSQLServer()
        self.addCleanup(other.remove)
        other.run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        # It says so to whoever connects from now on, which takes it a moment.
        await until(lambda: other.run("SHOW default_transaction_read_only") == "on")
        here, there = other.folder, self.server.folder
        url = f"postgresql://owner@/postgres?host={here},{there}"
        store = PostgreSQLStore(url, reactor, PATIENT, lambda: self.now)
        store.startService()
        await store.set("moshez", Entry("Writing", 1.0))
        await store.stopService()
        self.assertEqual(self.rows(), ["Writing"])

    def test_noServer(self) -> None:
        """Without a server, the daemon doesn't start, and says why."""
        store = PostgreSQLStore("postgresql://owner@/postgres?host=/nowhere", reactor)
        error = self.assertRaises(CannotStart, store.startService)
        self.assertIn("can't keep statuses in PostgreSQL: ", str(error))

    async def test_newer(self) -> None:
        """A database of a newer daemon's is left alone."""
        await self.store().stopService()
        self.server.run("INSERT INTO fingerd.version VALUES (1000)")
        error = self.assertRaises(CannotStart, self.store)
        self.assertIn("were written by a newer fingerd", str(error))


class BouncedRecordTests(RecordTests):
    """Records in PostgreSQL, where each transaction is given another connection."""

    examples = 1

    def setUp(self) -> None:
        super().setUp()
        self.bouncer = Bouncer(Cluster.get().folder, "transaction")
        self.addCleanup(self.bouncer.remove)

    def url(self) -> str:
        return self.bouncer.url


class BouncerTests(PostgreSQLCase):
    """A pgbouncer between the daemons and their server."""

    mode = "transaction"

    def setUp(self) -> None:
        super().setUp()
        self.bouncer = Bouncer(self.server.folder, self.mode)
        self.addCleanup(self.bouncer.remove)

    def url(self) -> str:
        return self.bouncer.url

    async def test_shared(self) -> None:
        """
        What one daemon sets and takes back shows at the other within the time after which it looks,
        however often; and all of it is in the history.
        """
        one, two = self.store(statusesRefresh=0.05), self.store(statusesRefresh=0.05)
        for number in range(20):
            await one.set("moshez", Entry(f"status {number}", 1.0))
            await until(partial(self.isShown, two, f"status {number}"))
            await two.set("moshez", Entry("Busy", 1.0))
            self.assertEqual(await two.undo("moshez"), Part.STATUS)
            await until(partial(self.isShown, one, f"status {number}"))
        kept = await two.history("moshez", 100)
        self.assertEqual([each.text for each in kept], [f"status {n}" for n in range(19, -1, -1)])
        # What the server tells is passed on to whoever has its connection then, and kept by nobody.
        told = [each for each in gc.get_objects() if isinstance(each, psycopg.Notify)]
        self.assertLess(len(told), 10)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_together(self) -> None:
        """Of what two daemons set at once, both show what was kept last."""
        one, two = self.store(statusesRefresh=0.05), self.store(statusesRefresh=0.05)
        await gatherResults(
            [
                store.set("moshez", Entry(f"{name} {number}", 1.0))
                for number in range(50)
                for name, store in (("one", one), ("two", two))
            ]
        )
        (*_, last) = self.rows()
        await until(lambda: self.isShown(one, last) and self.isShown(two, last))

    async def test_restarted(self) -> None:
        """While it is away, setting is refused in words; when it is back, all goes on."""
        store = self.store(statusesRefresh=0.05)
        await store.set("moshez", Entry("Writing", 1.0))
        self.bouncer.stop()
        self.assertEqual(await outcome(store.set("moshez", Entry("Reading", 1.0))), CANT_KEEP)
        self.assertEqual(self.shown(store), "Writing")
        self.bouncer.start()
        self.assertEqual(await outcome(store.set("moshez", Entry("Reading", 1.0))), "OK")
        self.assertEqual(self.rows(), ["Writing", "Reading"])

    def isShown(self, store: PostgreSQLStore, text: str) -> bool:
        return self.shown(store) == text


class SessionBouncerTests(BouncerTests):
    """One that gives each daemon connections of its own."""

    mode = "session"


class StatementBouncerTests(PostgreSQLCase):
    """One that gives each statement another connection."""

    def test_refused(self) -> None:
        """With it nothing can be kept safely: the daemon doesn't start, and says so."""
        bouncer = Bouncer(self.server.folder, "statement")
        self.addCleanup(bouncer.remove)
        store = PostgreSQLStore(bouncer.url, reactor, PATIENT, lambda: self.now)
        error = self.assertRaises(CannotStart, store.startService)
        self.assertIn("can't keep statuses in PostgreSQL: ", str(error))
        self.assertIn("transaction", str(error))


class DaemonTests(PostgreSQLCase):
    """The daemon, by its option."""

    def options(self, state: str) -> list[str]:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        Path(folder).chmod(0o755)
        users = Path(folder, "users")
        users.write_text("moshez:Happy\n")
        ports = "--listen=tcp:0:interface=127.0.0.1", "--setter=tcp:0:interface=127.0.0.1"
        return ["-n", "--pidfile=", "finger", *ports, f"--users={users}", f"--state={state}"]

    def test_two(self) -> None:
        """What is set at one daemon shows at the other, and after a restart."""
        options = self.options(self.url())
        with Daemon(*options) as one, Daemon(*options) as two:
            self.assertEqual(one.set("moshez", "Writing"), b"OK\r\n")
            while (shown := two.ask(b"moshez\n")) != b"Writing\r\n":
                self.assertEqual(shown, b"Happy\r\n")
        with Daemon(*options) as three:
            self.assertEqual(three.ask(b"moshez\n"), b"Writing\r\n")

    def test_password(self) -> None:
        """A password on the command line is refused, and not shown."""
        said = run(
            "sh", "-c", '"$0" "$@" 2>&1', *self.twistd("postgresql://me:secret@/db"), check=False
        )
        self.assertIn(b"can be seen by every user of this machine", said)
        self.assertNotIn(b"secret", said)

    def twistd(self, state: str) -> list[str]:
        return [TWISTD, *self.options(state)]
