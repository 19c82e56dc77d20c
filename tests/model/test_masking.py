"""Users who, from outside, don't exist."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.masking import Mask
from fingerd.model.user import User
from fingerd.text.cleaning import clean

REPORT = """\
Login: moshez                           Name: Moshe Zadka
Directory: /home/moshez                 Shell: /bin/sh
No Plan.

Login: radix                            Name: Moshe Radix
No Plan.
"""

LIST = """\
Login     Name         Tty      Idle  Login Time   Office
moshez    Moshe Zadka  pts/0          Nov 22 10:00
radix     Radix        pts/1          Nov 22 10:00
"""

_WORDS = ["Login: ", "Login name:", "radix", "RADIX", "ra", "dix", *"-._x: \n\r\0\u2028\u200b"]
_NAMED = re.compile(r"(?<![\w.-])radix(?![\w-]|\.\w)", re.I)


class MaskTests(SynchronousTestCase):
    """What is left of what directories say."""

    def test_users(self) -> None:
        """Masked users are in no list, and in no report of a list."""
        users = [User("moshez"), User("radix"), User("the program finger", report=LIST)]
        moshez, report = Mask(["radix"]).users(users)
        self.assertEqual(moshez, User("moshez"))
        self.assertEqual(report.report, LIST.replace(LIST.splitlines(keepends=True)[2], ""))

    def test_listInFull(self) -> None:
        """A list of whole records loses all of a masked user's, the plan too."""
        record = "Login: radix    Name: R\nPlan:\nTo hide\n\n"
        report = f"Heading of radix\n{REPORT}{record}"
        [listed] = Mask(["radix"]).users([User("host", report=report)])
        self.assertEqual(listed.report, REPORT[: REPORT.index("Login: radix")])

    def test_reportForAnother(self) -> None:
        """A report that was asked for by a real name loses the records of masked users."""
        masked = Mask(["radix"]).user(User("Moshe", report=REPORT))
        assert masked is not None
        self.assertEqual(masked.report, REPORT[: REPORT.index("Login: radix")])
        self.assertIsNone(Mask(["radix", "moshez"]).user(User("Moshe", report=REPORT)))

    def test_bareName(self) -> None:
        """A report without such records, headed by a masked user's name, is nothing."""
        self.assertIsNone(Mask(["radix"]).user(User("Moshe", report="radix: Writing\n")))

    def test_whatOthersWrite(self) -> None:
        """What someone else writes about a masked user isn't touched."""
        user = User("moshez", report="Login: moshez\nPlan:\nAsk radix.\n")
        self.assertEqual(Mask(["radix"]).user(user), user)

    def test_nothingLeft(self) -> None:
        """A source whose list names nobody else is in no list, and never looks like a user."""
        report = "radix     Radix        pts/1\n radix"
        self.assertEqual(Mask(["radix"]).users([User("host", report=report)]), [])

    def test_wholeLogins(self) -> None:
        """A login that is a part of another hides only itself."""
        mask = Mask(["mo"])
        report = "moshez here\nmo-she here\nmo.she here\nmo here\n a-mo\n"
        [user] = mask.users([User("list", report=report)])
        self.assertEqual(user.report, report.replace("mo here\n", ""))
        self.assertTrue(mask.hides("mo"))
        self.assertFalse(mask.hides("moshez"))

    def test_namesAsShown(self) -> None:
        """Control characters in a name, or other line ends, don't save it: no reader sees them."""
        record = "Login: radix   Name: Moshe\nNo Plan.\n"
        for written in (
            record.replace("radix", "ra\0dix"),
            record.replace("radix", "\x1b\u200bradix"),
            record.replace("Login", "Lo\u202egin"),
            record.replace("\n", "\r"),
        ):
            for report in (written, f"Welcome\r{written}", f"Welcome\u2028{written}"):
                masked = Mask(["radix"]).user(User("Moshe", report=report))
                self.assertNotIn("radix", clean(masked.report if masked else ""))
                for listed in Mask(["radix"]).users([User("host", report=report)]):
                    self.assertNotIn("radix", clean(listed.report))

    @given(st.lists(st.sampled_from(_WORDS)).map("".join))
    def test_anyReport(self, report: str) -> None:
        """Of any report, no line of a list names a masked user, and no record is theirs."""
        mask = Mask(["radix"])
        for listed in mask.users([User("host", report=report)]):
            self.assertIsNone(_NAMED.search(clean(listed.report)))
        masked = mask.user(User("Moshe", report=report))
        if masked is None:
            return
        shown = clean(masked.report)
        self.assertIsNone(re.search(r"^login: radix$", shown, re.I | re.M))
        # What was looked through once has nothing more to hide.
        self.assertEqual(mask.user(masked._replace(report=shown)), masked._replace(report=shown))

    @given(st.lists(st.sampled_from([*"abcdefgh:", "Login: ", "\n"])).map("".join))
    def test_othersReports(self, report: str) -> None:
        """A report that doesn't name them stays as it is."""
        user = User("host", report=report)
        self.assertEqual(Mask(["radix"]).users([user]), [user])
        self.assertEqual(Mask(["radix"]).user(user), user)

    def test_noMask(self) -> None:
        """Without masks all is as it was."""
        user = User("moshez", report=REPORT)
        self.assertEqual(Mask([]).user(user), user)
        self.assertEqual(Mask([]).users([user]), [user])
        self.assertIsNone(Mask([]).user(None))
