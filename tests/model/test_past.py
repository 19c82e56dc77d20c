"""Queries for what a user has set before."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.past import lines, meant, parse
from fingerd.model.record import Entry


def at(day: int, hour: int) -> float:
    """A moment in November 2026."""
    return datetime(2026, 11, day, hour, tzinfo=UTC).timestamp()


SET = [
    Entry("Sleeping", at(4, 23), until=at(5, 7)),
    Entry("Two\nlines", at(3, 9)),
    Entry("At lunch", at(1, 12), until=at(1, 14)),
    Entry("Writing", at(1, 8)),
]


class PastTests(SynchronousTestCase):
    """What is asked for, and what that means."""

    def texts(self, wanted: str) -> list[str]:
        return [status.text for status in meant(SET, wanted)]

    def test_parse(self) -> None:
        """Only what has the form of a query for the past is one."""
        for wanted in "log", "-1", "-12", "2026-11-01", "0000-00-00":
            self.assertEqual(parse(f"moshez/{wanted}"), ("moshez", wanted))
        for name in ("moshez", "log", "moshez/", "moshez/Log", "moshez/-0", "moshez/1", "moshez/-"):
            self.assertIsNone(parse(name), name)
        for wanted in "-1000", "2026-1-1", "log/log", "-1\n", "2026-11-01x", "\u0661", "-\u0661":
            self.assertIsNone(parse(f"moshez/{wanted}"), wanted)

    def test_last(self) -> None:
        """The log has the newest first; -1 is the one before the newest."""
        self.assertEqual(self.texts("log"), ["Sleeping", "Two\nlines", "At lunch", "Writing"])
        self.assertEqual(self.texts("-1"), ["Two\nlines"])
        self.assertEqual(self.texts("-3"), ["Writing"])
        self.assertEqual(self.texts("-4"), [])
        self.assertEqual(len(meant(SET * 10, "log")), 20)

    def test_day(self) -> None:
        """A day has what was set on it, and what showed when it began."""
        for wanted, texts in (
            ("2026-10-31", []),
            ("2026-11-01", ["At lunch", "Writing"]),
            ("2026-11-02", ["Writing"]),
            ("2026-11-03", ["Two\nlines", "Writing"]),
            ("2026-11-05", ["Sleeping"]),
            ("2026-11-06", ["Two\nlines"]),
            ("2026-13-01", []),
            ("0000-01-01", []),
            ("9999-12-31", []),
        ):
            self.assertEqual(self.texts(wanted), texts, wanted)

    def test_lines(self) -> None:
        """Each is on a line, with when it was set."""
        self.assertEqual(
            lines(SET[:2]), "2026-11-04 23:00 UTC  Sleeping\n2026-11-03 09:00 UTC  Two lines"
        )

    @given(st.text())
    def test_anyText(self, text: str) -> None:
        """Nobody can ask for what makes trouble."""
        asked = parse(f"moshez/{text}")
        if asked is not None:
            self.assertLessEqual(len(meant(SET, asked[1])), 4)

    @given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True))
    def test_anyDay(self, text: str) -> None:
        """Nor by any day."""
        asked = parse(f"moshez/{text}")
        self.assertLessEqual(len(meant(SET, asked[1])) if asked else 0, 4)
