"""Which of a user's statuses shows: the same in memory and, after any restart, from SQLite."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from sqlite3 import Connection
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.errors import SettingRefused
from fingerd.model.limits import DEFAULTS
from fingerd.model.record import NOTHING_SET, Entry, Part
from fingerd.stores.database import Database
from fingerd.stores.memory import MemoryStore
from fingerd.stores.showing import Showing

# A login, a text that is empty for a clearing, and how long it is to last.
SETTINGS = st.lists(
    st.tuples(
        st.sampled_from(["moshez", "shawn"]),
        st.sampled_from(["", "Writing", "At lunch", "Außer Haus"]),
        st.none() | st.integers(1, 9),
    ),
    max_size=25,
)


def remembered(set_: list[tuple[str, Entry]], login: str, now: float) -> Entry | None:
    """What shows, by the plainest rule: the last that has not expired, back to a clearing."""
    for of, status in reversed(set_):
        if of == login:
            if not status.text:
                return None
            if status.until is None or status.until > now:
                return status
    return None


class ShowingTests(SynchronousTestCase):
    """The rule, by itself."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.statuses = MemoryStore(lambda: self.now)

    def set(self, text: str, until: float | None = None) -> None:
        self.successResultOf(self.statuses.set("moshez", Entry(text, self.now, "", until)))

    def shown(self) -> str | None:
        status = self.statuses.held("moshez").status
        return None if status is None else status.text

    def test_before(self) -> None:
        """When a status expires, the one before it shows again."""
        self.set("Happy and well")
        self.set("At lunch", until=1010)
        self.assertEqual(self.shown(), "At lunch")
        self.now = 1010
        self.assertEqual(self.shown(), "Happy and well")

    def test_nothingBefore(self) -> None:
        """When a status expires that nothing was set before, nothing shows."""
        self.set("At lunch", until=1010)
        self.now = 1010
        self.assertIsNone(self.shown())

    def test_skipped(self) -> None:
        """When a status expires, one before it that has expired too doesn't show again."""
        self.set("Happy and well")
        self.set("On the phone", until=1005)
        self.set("At lunch", until=1010)
        self.now = 1010
        self.assertEqual(self.shown(), "Happy and well")

    def test_nested(self) -> None:
        """Of two that expire, the longer one shows again until it expires too."""
        self.set("On holiday", until=1100)
        self.set("At lunch", until=1010)
        self.now = 1010
        self.assertEqual(self.shown(), "On holiday")
        self.now = 1100
        self.assertIsNone(self.shown())

    def test_clearing(self) -> None:
        """A clearing ends all that was set, also what would have shown again."""
        self.set("Happy and well")
        self.set("At lunch", until=1010)
        self.set("")
        self.assertIsNone(self.shown())
        self.now = 1010
        self.assertIsNone(self.shown())

    def test_clearingStays(self) -> None:
        """A clearing has no expiry: what it ended doesn't come back."""
        self.set("Happy and well")
        self.set("", until=1010)
        self.now = 1010
        self.assertIsNone(self.shown())

    def test_whoAndWhen(self) -> None:
        """Who set a status and when is told with it."""
        status = Entry("Writing", 1000.0, "uid 1000 (moshez)", 2000.0)
        self.successResultOf(self.statuses.set("moshez", status))
        self.assertEqual(self.statuses.held("moshez").status, status)
        self.assertEqual(self.statuses.held("shawn"), NOTHING_SET)

    def test_count(self) -> None:
        """A store knows how many users have a status."""
        showing = Showing(DEFAULTS)
        for login, text in [("a", "x"), ("b", "y"), ("a", "z"), ("b", "")]:
            showing.put(login, Entry(text, 0.0))
        self.assertEqual(len(showing), 1)

    def test_tooManyBelow(self) -> None:
        """One status too many that would wait to show again is refused, and nothing changes."""
        limits = replace(DEFAULTS, statusesBelow=3)
        self.statuses = MemoryStore(lambda: self.now, limits)
        self.set("Happy and well")
        for until in (1030, 1020, 1010):
            self.set(f"until {until}", until)
        refused = self.statuses.set("moshez", Entry("no more", self.now, "", 1005.0))
        self.failureResultOf(refused, SettingRefused)
        self.assertEqual(self.shown(), "until 1010")
        # One that outlasts the others takes their place.
        self.set("longer", until=1040)
        self.assertEqual(self.shown(), "longer")

    def test_tooManyPlansBelow(self) -> None:
        """Of plans, which are long, only a few wait to show again: not a memory full of them."""
        for part in (Part.PLAN, Part.PROJECT):
            plans = [Entry("x" * 65536, 1000.0, "", 9000.0 - n, part) for n in range(100)]
            done = [self.statuses.set("moshez", plan) for plan in plans]
            kept = DEFAULTS.plansBelow + 1
            for each in done[:kept]:
                self.successResultOf(each)
            for each in done[kept:]:
                self.failureResultOf(each, SettingRefused)

    def test_notToBeKept(self) -> None:
        """A status that is no text, or lasts for no time at all, is refused."""
        for status in (
            Entry("\ud800", 0.0),
            Entry("Writing", 0.0, "\udfff"),
            Entry("Writing", 0.0, "", float("nan")),
            Entry("Writing", 0.0, "", float("inf")),
        ):
            self.failureResultOf(self.statuses.set("moshez", status), SettingRefused)
        self.assertIsNone(self.shown())

    @settings(deadline=None)
    @given(SETTINGS, st.integers(0, 20))
    def test_rule(self, wanted: list[tuple[str, str, int | None]], later: int) -> None:
        """What shows is always the last that has not expired, back to the last clearing."""
        showing = Showing(DEFAULTS)
        set_ = []
        for now, (login, text, lasts) in enumerate(wanted):
            status = Entry(text, now, "", None if lasts is None else now + lasts)
            set_.append((login, status))
            showing.put(login, showing.admit(login, status))
            for of in ("moshez", "shawn"):
                self.assertEqual(showing.get(of, now).status, remembered(set_, of, now))
        for of in ("moshez", "shawn"):
            end = len(wanted) + later
            self.assertEqual(showing.get(of, end).status, remembered(set_, of, end))

    # Each makes a database, or many.
    @settings(deadline=None, max_examples=settings().max_examples // 2)
    @given(SETTINGS, st.integers(0, 3), st.integers(1, 6), st.integers(1, 4))
    def test_restarts(
        self,
        wanted: list[tuple[str, str, int | None]],
        history: int,
        together: int,
        atOnce: int,
    ) -> None:
        """After a restart shows what showed before, however short the history that is kept."""
        limits = replace(DEFAULTS, statusHistory=history, statusesAtOnce=atOnce)
        with TemporaryDirectory() as state:
            database = Database(state, limits)
            with closing(database.open()) as connection:
                database.opened()
                database.prepare(connection)
                self.checkRestarts(database, connection, wanted, together)

    def checkRestarts(
        self,
        database: Database,
        connection: Connection,
        wanted: list[tuple[str, str, int | None]],
        together: int,
    ) -> None:
        showing = Showing(DEFAULTS)
        for first in range(0, len(wanted), together):
            batch = []
            for now, (login, text, lasts) in enumerate(wanted[first:][:together], first):
                status = Entry(text, now, "", None if lasts is None else now + lasts)
                status = showing.admit(login, status)
                showing.put(login, status)
                batch.append((login, status))
            database.turn(connection.cursor(), batch, 0)
            connection.commit()
            again = Showing(DEFAULTS)
            seen = 0
            while rows := database.news(connection.cursor(), seen):
                for _, login, text, when, by, until, _part in rows:
                    again.put(login, Entry(text, when, by, until))
                seen = rows[-1][0]
            for now in range(first, len(wanted) + 10):
                for of in ("moshez", "shawn"):
                    self.assertEqual(again.get(of, now), showing.get(of, now))
