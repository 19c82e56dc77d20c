"""The real daemon over real accounts: passwd:, the real finger(1), and Debian's in.fingerd."""

from __future__ import annotations

from tests.daemon.sources import UNKNOWN, asked, inFingerd, over
from tests.support.accounts import Accounts
from tests.support.daemon import TWISTD, needs
from tests.support.network import Network
from tests.support.ports import temporaryFolder

FINGER = "exec:/usr/bin/finger"


class AccountTests(Accounts):
    """The users of this machine, two of them made for the test."""

    def setUp(self) -> None:
        super().setUp()
        needs("finger")
        self.write(".plan", "To compute\n")
        self.login, self.other = self.ada.pw_name, self.eve.pw_name
        self.uids = f"min-uid={self.ada.pw_uid},max-uid={self.eve.pw_uid}"

    def test_accounts(self) -> None:
        """``passwd:`` shows finger(1) what finger(1) shows: name, office, project, plan."""
        self.write(".project", "The engine\nand more\n")
        command = [TWISTD, *asked(f"--directory=passwd:{self.uids}", listen="tcp:79")]
        with Network() as network, network.daemon(*command):
            shown = network.run("finger", f"{self.login}@localhost").decode()
            self.assertEqual(
                shown.splitlines(),
                [
                    f"{f'Login: {self.login}':40}Name: Ada Lovelace",
                    "Office: Room 1, 555 1234",
                    "Project: The engine",
                    "Plan:",
                    "To compute",
                ],
            )
            listed = network.run("finger", "@localhost").decode().splitlines()
            self.assertEqual(
                [line.split()[0] for line in listed], ["Login", self.login, self.other]
            )
            self.assertIn(b"No such user", network.run("finger", "root@localhost"))

    def test_nofinger(self) -> None:
        """Who has a ``.nofinger`` is, in every byte, unknown: over ``passwd:`` and ``exec:``."""
        self.write(".nofinger", "")
        for url in (f"passwd:{self.uids}", FINGER):
            with over(url, asRoot=True) as daemon:
                self.assertEqual(daemon.ask(f"{self.login}\n".encode()), UNKNOWN, url)
                self.assertIn(b"No Plan.", daemon.ask(f"{self.other}\n".encode()), url)
                self.assertNotIn(self.login.encode(), daemon.ask(b"\n"), url)

    def test_closedHomes(self) -> None:
        """
        The log says at the start how many homes can't be looked into, since they are closed or not
        to be seen, and what becomes of their users.
        """
        self.home.chmod(0o700)
        lookedAt = (
            "passwd:: of 2 homes 1 can't be looked into by this user, since they are closed or not "
            "there, and a .nofinger in them"
        )
        with over(f"passwd:{self.uids}", asRoot=True) as daemon:
            daemon.says(f"{lookedAt} can't be seen; their users are shown")
            self.assertIn(b"Ada Lovelace", daemon.ask(f"{self.login}\n".encode()))
        with over(f"passwd:{self.uids},closed-homes=hide", asRoot=True) as daemon:
            daemon.says(f"{lookedAt} can't be seen; their users are hidden")
            self.assertEqual(daemon.ask(f"{self.login}\n".encode()), UNKNOWN)
            self.assertNotIn(self.login.encode(), daemon.ask(b"\n"))
        self.home.rename(self.home.with_name("away"))
        with over(f"passwd:{self.uids},closed-homes=hide", asRoot=True) as daemon:
            daemon.says(f"{lookedAt} can't be seen; their users are hidden")
            self.assertEqual(daemon.ask(f"{self.login}\n".encode()), UNKNOWN)

    def test_accountsInFile(self) -> None:
        """``passwd:FILE`` has the users of a file of that format, and no others."""
        file = temporaryFolder(self) / "passwd"
        file.parent.chmod(0o755)
        file.write_text("virtual:x:70000:70000:Vera Virtual,Room 2:/nonexistent:/bin/false\n")
        with over(f"passwd:{file}", asRoot=True) as daemon:
            self.assertIn(b"Name: Vera Virtual\r\nOffice: Room 2\r\n", daemon.ask(b"virtual\n"))
            self.assertEqual(daemon.ask(f"{self.login}\n".encode()), UNKNOWN)

    def test_program(self) -> None:
        """``exec:`` answers in the words of the real finger(1), and of no other user's."""
        with over(FINGER, asRoot=True) as daemon:
            said = daemon.ask(f"{self.login}\n".encode()).decode()
            self.assertRegex(said, rf"\ALogin: {self.login} +\t+Name: Ada Lovelace\r\n")
            self.assertTrue(said.endswith("Plan:\r\nTo compute\r\n"), said)
            for query in (b"Lovelace\n", b"-l\n", b"no-such-user\n", b"../passwd\n", b"$(id)\n"):
                self.assertEqual(daemon.ask(query), UNKNOWN, query)

    def test_inFingerd(self) -> None:
        """``finger://`` answers in the words of Debian's in.fingerd, and asks the next one."""
        with over(inFingerd(self), f"passwd:{self.uids}", asRoot=True) as daemon:
            said = daemon.ask(f"{self.login}\n".encode()).decode()
            self.assertRegex(said, rf"\ALogin: {self.login} +\t+Name: Ada Lovelace\r\n")
            self.assertEqual(daemon.ask(b"no-such-user\n"), UNKNOWN)

    def test_masked(self) -> None:
        """Masked and replaced is so over every directory: for one, with /W, and in lists."""
        options = (f"--mask={self.other}", "--replace=Lovelace=Byron", "--match")
        with over(f"passwd:{self.uids}", asRoot=True) as accounts:
            for url in (
                f"passwd:{self.uids}",
                FINGER,
                inFingerd(self),
                f"finger://localhost:{accounts.port}",
            ):
                with over(url, options=options, asRoot=True) as daemon:
                    for name in (self.other, self.other.title(), self.other.upper()):
                        for query in (f"{name}\n", f"/W {name}\n"):
                            self.assertEqual(daemon.ask(query.encode()), UNKNOWN, (url, query))
                    said = daemon.ask(f"{self.login}\n".encode())
                    self.assertIn(b"Name: Ada Byron\r\n", said, url)
                    for listing in (b"\n", b"/W\n"):
                        listed = daemon.ask(listing)
                        self.assertNotIn(self.other.encode(), listed, url)
                        self.assertNotIn(b"Lovelace", listed, url)
                        if url.endswith((self.uids, str(accounts.port))):
                            self.assertIn(b"Ada Byron", listed, url)

    def test_unmasked(self) -> None:
        """The same queries find that user where nothing is masked."""
        with over(f"passwd:{self.uids}", options=("--match",), asRoot=True) as accounts:
            for url in (f"passwd:{self.uids}", f"finger://localhost:{accounts.port}"):
                with over(url, options=("--match",), asRoot=True) as daemon:
                    for name in (self.other, self.other.title()):
                        said = daemon.ask(f"{name}\n".encode())
                        self.assertIn(f"Login: {self.other} ".encode(), said, (url, name))
                    self.assertIn(self.other.encode(), daemon.ask(b"\n"), url)

    def test_match(self) -> None:
        """``--match`` finds a user by any word of the full name, and only then is one found."""
        for options, found in (((), False), (("--match",), True)):
            with over(f"passwd:{self.uids}", options=options, asRoot=True) as daemon:
                for name in (b"lovelace\n", b"Ada\n"):
                    said = daemon.ask(name)
                    self.assertEqual(b"Name: Ada Lovelace" in said, found, said)
                self.assertEqual(daemon.ask(b"Love\n"), UNKNOWN)

    def test_fields(self) -> None:
        """The list and the users have the fields that are asked for, and no more."""
        options = ("--list-fields=office", "--user-fields=home-phone")
        with over(f"passwd:{self.uids}", options=options, asRoot=True) as daemon:
            heading, first, *_ = daemon.ask(b"\n").decode().splitlines()
            self.assertEqual(heading.split(), ["Login", "Name", "Office"])
            self.assertEqual(first.split(), [self.login, "Ada", "Lovelace", "Room", "1"])
            said = daemon.ask(f"{self.login}\n".encode())
            self.assertIn(b"Home Phone: 555 4321", said)
            self.assertNotIn(b"Room 1", said)
            self.assertNotIn(b"Plan", said)
