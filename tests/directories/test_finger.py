"""The real finger(1) as a source of users."""

from __future__ import annotations

import os
import secrets

from twisted.internet import reactor

from fingerd.directories.program import ProcessUsers, fromURL
from tests.support.programs import ProgramTestCase
from tests.support.real_users import changeAccounts

FINGER = "/usr/bin/finger"


class FingerTestCase(ProgramTestCase):
    """Has the real finger(1)."""

    if not os.path.exists(FINGER):
        skip = "there is no /usr/bin/finger"

    def finger(self, match: bool = False) -> ProcessUsers:
        users = fromURL(FINGER, reactor, match=match)
        self.addCleanup(users.stopService)
        return users


class FingerTests(FingerTestCase):
    """The real finger(1)."""

    async def test_unknown(self) -> None:
        """A user that finger(1) doesn't know is no such user, and nothing is logged."""
        said = self.said()
        self.assertIsNone(await self.finger().getUser("no-such-user-here"))
        self.assertIsNone(await self.finger().getVerboseUser("no-such-user-here"))
        self.assertEqual(said, [])

    async def test_known(self) -> None:
        """A user that it knows is reported in its own words."""
        user = await self.finger().getUser("root")
        assert user is not None
        self.assertRegex(user.report, r"\ALogin: root +\t+Name: ")

    async def test_list(self) -> None:
        """Its list is a report."""
        [listed] = await self.finger().getUsers(10)
        self.assertEqual(listed.login, "the program finger")
        self.assertRegex(listed.report, r"\A(Login +Name|No one logged on)")

    async def test_wrongOption(self) -> None:
        """An option that it doesn't have is a failure, in its words."""
        users = self.users(FINGER, "-Z")
        reason = await self.reason(users.getUser("root"))
        self.assertIn("ended with exit status 1, saying ", reason)
        self.assertIn("invalid option -- 'Z'", reason)


class AccountTests(FingerTestCase):
    """The real finger(1), and an account made for the test."""

    if os.geteuid() != 0:
        skip = "only root can make accounts"

    def setUp(self) -> None:
        self.login = f"fd{secrets.token_hex(6)}"
        self.name = f"Q{secrets.token_hex(6)}"
        gecos = f"{self.name} Dent,Room 42"
        self.home = os.path.dirname(self.path())
        # finger(1) looks at homes as the user that runs it, and this is a temporary directory.
        os.chmod(self.home, 0o755)
        changeAccounts("useradd", "--no-create-home", "-d", self.home, "-c", gecos, self.login)
        self.addCleanup(changeAccounts, "userdel", self.login)

    def write(self, name: str, text: str) -> None:
        with open(os.path.join(self.home, name), "w") as file:
            file.write(text)

    async def test_account(self) -> None:
        """The account's full name, office and plan are reported, verbose or not."""
        self.write(".plan", "Don't panic, déjà vu\n")
        user = await self.finger().getUser(self.login)
        assert user is not None
        self.assertIn(f"Name: {self.name} Dent\n", user.report)
        self.assertIn("Office: Room 42", user.report)
        self.assertTrue(user.report.endswith("Plan:\nDon't panic, déjà vu"))
        self.assertEqual(await self.finger().getVerboseUser(self.login), user)

    async def test_realName(self) -> None:
        """A real name finds nobody, unless that was asked for."""
        self.assertIsNone(await self.finger().getUser(self.name))
        user = await self.finger(match=True).getUser(self.name)
        assert user is not None
        self.assertIn(f"Login: {self.login}", user.report)

    async def test_noFinger(self) -> None:
        """A user who doesn't want to be fingered from elsewhere is no such user."""
        self.write(".nofinger", "")
        self.assertIsNone(await self.finger().getUser(self.login))

    async def test_longPlan(self) -> None:
        """Of a plan longer than any answer, the start is reported."""
        self.write(".plan", "Don't panic\n" * 50_000)
        user = await self.finger().getUser(self.login)
        assert user is not None
        self.assertIn("Plan:\nDon't panic\n", user.report)
        self.assertTrue(user.report.endswith("(cut: a program writes 262144 bytes at most)"))
