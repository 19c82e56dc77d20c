"""A user in the form of finger(1)."""

from __future__ import annotations

import math
import os
import pwd
import shutil
import subprocess

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.plain.finger1_layout import age, entry, known, timeOf
from fingerd.model.fields import ALL, ALWAYS, Field, Fields
from fingerd.model.user import User
from fingerd.service.shown import Shown
from fingerd.text.replacing import NOTHING

MOSHEZ = User(
    "moshez",
    name="Moshe Zadka",
    status="Happy and well",
    statusSet=1000.0,
    office="Room 5",
    officePhone="555-1234",
    homePhone="+1-555-678-9012",
    project="Twisted",
    plan="To write\n\ta server\nand rest\n",
    publicKey="KEY\nline2\n",
)


def shown(user: User, fields: Fields = ALL, statusAge: str = "") -> str:
    """What is shown of a user."""
    return entry(known(Shown(NOTHING, 10_000).user(user, fields)), fields, statusAge)


class EntryTests(SynchronousTestCase):
    """The lines on one user."""

    def test_all(self) -> None:
        """All that is known stands in its place."""
        self.assertEqual(
            shown(MOSHEZ, ALL, "3 hours ago").split("\n"),
            [
                "Login: moshez                           Name: Moshe Zadka",
                "Office: Room 5, 555-1234                Home Phone: +1-555-678-9012",
                "Status (3 hours ago): Happy and well",
                "Public key:",
                "KEY",
                "line2",
                "Project: Twisted",
                "Plan:",
                "To write",
                "\ta server",
                "and rest",
            ],
        )

    def test_asFinger(self) -> None:
        """The header is that of Debian's finger(1), its TABs as a terminal shows them."""
        # Printed by finger 0.17 for an account with these.
        finger = (
            "Login: laymosh        \t\t\tName: Moshe Zadka\n"
            "Office: Room 5, 555-1234\t\tHome Phone: +1-555-678-9012"
        )
        user = User(
            "laymosh",
            name="Moshe Zadka",
            office="Room 5",
            officePhone="555-1234",
            homePhone="+1-555-678-9012",
        )
        self.assertEqual(shown(user, ALL - {Field.PLAN}), finger.expandtabs())

    def test_asFingerHere(self) -> None:
        """The first line on this test's own user is what this machine's finger(1) says."""
        finger = shutil.which("finger")
        if finger is None:
            self.skipTest("finger isn't installed")
        account = pwd.getpwuid(os.geteuid())
        name = account.pw_gecos.partition(",")[0].replace("&", account.pw_name.capitalize())
        said = subprocess.run(
            [finger, "-lm", account.pw_name], capture_output=True, text=True, check=True
        ).stdout
        self.assertEqual(
            shown(User(account.pw_name, name=name), ALWAYS), said.split("\n")[0].expandtabs()
        )

    def test_officeAndPhones(self) -> None:
        """What is known of office and phones is named for what it is."""
        for user, line in (
            (User("m", office="R5"), "Office: R5"),
            (User("m", officePhone="1"), "Office Phone: 1"),
            (User("m", homePhone="2"), "Home Phone: 2"),
            (
                User("m", officePhone="1", homePhone="2"),
                "Office Phone: 1".ljust(40) + "Home Phone: 2",
            ),
        ):
            self.assertEqual(shown(user, ALL - {Field.PLAN}), f"Login: m\n{line}")

    def test_noPlan(self) -> None:
        """Without a plan it says so, but not where plans aren't shown."""
        user = User("moshez", name="Moshe", plan=" \n\n")
        header = "Login: moshez".ljust(40) + "Name: Moshe"
        self.assertEqual(shown(user), f"{header}\nNo Plan.")
        self.assertEqual(shown(user, ALL - {Field.PLAN}), header)

    def test_onlyTheFields(self) -> None:
        """A field that isn't in the view is not there, whatever it has in it."""
        for field in ALL - ALWAYS:
            text = shown(MOSHEZ, ALL - {field})
            for line in getattr(MOSHEZ, field).split("\n"):
                if line.strip():
                    self.assertNotIn(line.strip(), text)

    def test_severalLines(self) -> None:
        """A status of several lines, or a very long one, begins below its label."""
        for status in ("Writing\n  a server", "x" * 80):
            user = User("m", status=status)
            self.assertIn(f"\nStatus (1 day ago):\n{status}", shown(user, ALL, "1 day ago"))
        self.assertIn(f"\nStatus: {'x' * 72}\n", shown(User("m", status="x" * 72)))

    def test_indentedPlan(self) -> None:
        """A plan that begins with a picture keeps its first line's place; empty lines go."""
        self.assertIn("Plan:\n   /\\\n  /  \\", shown(User("m", plan="\n\n   /\\\n  /  \\\n\n")))

    def test_oneLine(self) -> None:
        """What is one line can't begin another one, and with it what looks like another field."""
        user = User("m", name="M\r\nPlan:\nnone", office="a\u2028b", homePhone="p\tq")
        self.assertEqual(
            shown(user, ALL - {Field.PLAN}),
            "Login: m".ljust(40)
            + "Name: M Plan: none\n"
            + "Office: a b".ljust(40)
            + "Home Phone: p q",
        )

    def test_nothingToSee(self) -> None:
        """A field of nothing but what is taken out is as if it were empty."""
        user = User("m", name="\x1b\u200b", plan="\x07 ")
        self.assertEqual(shown(user, ALL - {Field.PLAN}), "Login: m")


class AgeTests(SynchronousTestCase):
    """How long ago a status was set."""

    def test_words(self) -> None:
        """It is told in the largest unit that there is one of."""
        for seconds, words in (
            (0, "just now"),
            (59.9, "just now"),
            (60, "1 minute ago"),
            (3599, "59 minutes ago"),
            (3600, "1 hour ago"),
            (3 * 3600 + 1800, "3 hours ago"),
            (86399, "23 hours ago"),
            (86400, "1 day ago"),
            (29 * 86400, "29 days ago"),
            (30 * 86400, "1 month ago"),
            (365 * 86400 - 1, "12 months ago"),
            (365 * 86400, "1 year ago"),
            (22 * 365 * 86400, "22 years ago"),
        ):
            self.assertEqual(age(1e9, 1e9 + seconds), words)

    def test_notKnown(self) -> None:
        """Nothing is told where nobody knows, or where a clock was set back since."""
        for since, now in ((None, 1.0), (1.0, None), (2.0, 1.0), (math.nan, 1.0), (-math.inf, 1.0)):
            self.assertEqual(age(since, now), "")

    @given(st.floats() | st.none(), st.floats() | st.none())
    def test_anyTimes(self, since: float | None, now: float | None) -> None:
        """No times, however odd, make it fail."""
        self.assertRegex(age(since, now), r"^(|just now|\d+ [a-z]+ ago)$")


class EndTests(SynchronousTestCase):
    """When a status ends."""

    def test_words(self) -> None:
        """It is told to the minute, in two units at most, beside the age."""
        for seconds, words in (
            (1, "1 minute"),
            (89, "1 minute"),
            (7199.5, "2 hours"),
            (5400, "1 hour 30 minutes"),
            (86400 * 31 + 3600 * 2 + 60, "1 month 1 day"),
            (86400 * 366, "1 year 1 day"),
        ):
            user = User("m", status="At lunch", statusSet=0.0, statusUntil=60.0 + seconds)
            self.assertEqual(timeOf(user, 60.0), f"1 minute ago, ends in {words}")
        self.assertEqual(timeOf(user._replace(statusUntil=None), 60.0), "1 minute ago")
        self.assertEqual(timeOf(User("m", statusUntil=120.0), 60.0), "ends in 1 minute")
