"""What a user has set, as far back as it is kept: the same in memory and from SQLite."""

from __future__ import annotations

from contextlib import closing
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS
from fingerd.model.record import Entry, Part
from fingerd.stores.database import Database
from fingerd.stores.memory import MemoryStore
from tests.stores.statuses import SQLiteCase
from tests.stores.test_statuses_showing import SETTINGS


class RuleTests(SynchronousTestCase):
    """The rule, by itself."""

    @settings(deadline=None, max_examples=settings().max_examples // 2)
    @given(SETTINGS)
    def test_rule(self, wanted: list[tuple[str, str, int | None]]) -> None:
        """
        A history is all that was set since the last clearing and has not expired, the newest first.
        """
        now = 0.0
        memory = MemoryStore(lambda: now)
        set_ = []
        for at, (login, text, lasts) in enumerate(wanted):
            until = None if lasts is None or not text else float(at + lasts)
            set_.append((login, Entry(text, float(at), "uid 0 (root)", until)))
            self.successResultOf(memory.set(*set_[-1]))
        with TemporaryDirectory() as state:
            database = Database(state, DEFAULTS)
            with closing(database.open()) as connection:
                database.opened()
                database.prepare(connection)
                database.turn(connection.cursor(), set_, 0)
                for login in ("moshez", "shawn", "nobody"):
                    for now in (0.0, len(wanted) / 2, len(wanted) + 5.0):
                        plain: list[Entry] = []
                        for of, status in set_:
                            if of == login:
                                plain = [status, *plain] if status.text else []
                        plain = [s for s in plain if s.until is None or s.until > now]
                        for most in (1, 3, 100):
                            cursor = connection.cursor()
                            rows = database.history(cursor, login, now, most)
                            kept = [Entry(*row[2:6], Part(row[6])) for row in rows]
                            self.assertEqual(kept, plain[:most])
                            held = self.successResultOf(memory.history(login, most))
                            self.assertEqual(held, plain[:most])


class HistoryTests(SQLiteCase):
    """The history from a store that runs."""

    async def test_restart(self) -> None:
        """After a restart the history is what it was, and the newest is first."""
        first = self.store()
        for number in range(3):
            await first.set("moshez", Entry(f"status {number}", 1.0 + number))
        await first.stopService()
        second = self.store()
        self.assertEqual(
            [status.text for status in await second.history("moshez", 2)], ["status 2", "status 1"]
        )

    async def test_tooMany(self) -> None:
        """When as many histories are being read as may be, another one is refused."""
        store = self.store(historiesWaiting=2)
        await store.set("moshez", Entry("Writing", 1.0))
        first, second = store.history("moshez", 1), store.history("moshez", 1)
        self.failureResultOf(store.history("moshez", 1), DirectoryError)
        # Who gives up gives no room before the disk is done with it.
        first.addErrback(lambda _: None)
        first.cancel()
        self.failureResultOf(store.history("moshez", 1), DirectoryError)
        await second
        self.assertEqual(len(await store.history("moshez", 1)), 1)

    async def test_stopped(self) -> None:
        """A store that has stopped says so."""
        store = self.store()
        await store.stopService()
        self.failureResultOf(store.history("moshez", 1), DirectoryError)
