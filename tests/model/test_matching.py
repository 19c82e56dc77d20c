"""Matching by real name (RFC 1288 2.5.3)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.matching import matches
from fingerd.model.user import User


class MatchesTests(SynchronousTestCase):
    """Who is meant by a word that is no login."""

    def test_wholeWords(self) -> None:
        """Any name of a full name does, in any case, and no part of one."""
        user = User("moshez", name="Moshe Ben Zadka")
        for words in ("moshe", "Zadka", "BEN", " zadka ", "zadka moshe", "zadka, moshe"):
            self.assertTrue(matches(user, words), words)
        for words in ("mosh", "zadkas", "moshez", "moshe radix", "mo.*"):
            self.assertFalse(matches(user, words), words)

    def test_lastNameFirst(self) -> None:
        """A full name may have its last name first."""
        self.assertTrue(matches(User("moshez", name="Zadka, Moshe"), "zadka"))

    def test_nothing(self) -> None:
        """Nothing matches nobody, and who has no full name is matched by nothing."""
        for words in ("", " ", ","):
            self.assertFalse(matches(User("moshez", name="Moshe"), words))
        self.assertFalse(matches(User("moshez"), "moshez"))

    def test_letters(self) -> None:
        """What looks the same is the same: large and small letters, and either kind of accent."""
        self.assertTrue(matches(User("j", name="José Straße"), "JOSE\u0301"))
        self.assertTrue(matches(User("j", name="JOSE\u0301 STRASSE"), "josé straße"))
        self.assertFalse(matches(User("j", name="José"), "jose"))
