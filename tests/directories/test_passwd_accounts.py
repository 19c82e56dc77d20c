"""Where accounts are found."""

from __future__ import annotations

import os
import pwd
import subprocess
import threading

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.accounts.passwd_file import PasswdFile
from fingerd.directories.accounts.passwd_format import LARGEST_UID, Account
from fingerd.directories.accounts.system_accounts import SystemAccounts
from fingerd.directories.watched import looks
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits
from tests.support.accounts import noDescriptors
from tests.support.ports import NoThreads, temporaryFolder

EVERYONE = range(LARGEST_UID + 1)


class SystemAccountsTests(SynchronousTestCase):
    """The accounts of this system, as it is."""

    def listing(self, script: str, seconds: float = 60.0, limit: int = 10) -> list[str]:
        """The logins that are listed where getent(1) is this shell script."""
        getent = temporaryFolder(self) / "getent"
        getent.write_text(f"#!/bin/sh\n{script}\n")
        getent.chmod(0o755)
        accounts = SystemAccounts(EVERYONE, Limits(lookupTime=seconds), str(getent))
        return [account.login for account in accounts.listing(limit)()]

    def test_find(self) -> None:
        """An account is found with all that is needed of it."""
        root = pwd.getpwnam("root")
        self.assertEqual(
            SystemAccounts(EVERYONE).finding("root")(),
            Account("root", 0, root.pw_gecos, root.pw_dir),
        )

    def test_notFound(self) -> None:
        """Who has no account, or one with a uid that doesn't count, is not there."""
        for login in ("nobody-is-called-that", "josé", "x" * 500):
            self.assertIsNone(SystemAccounts(EVERYONE).finding(login)())
        self.assertIsNone(SystemAccounts(range(1, 100)).finding("root")())

    def test_otherName(self) -> None:
        """An account that the system finds under another name isn't the one that was asked for."""
        root = pwd.getpwnam("root")
        self.patch(pwd, "getpwnam", lambda name: root)
        self.assertIsNone(SystemAccounts(EVERYONE).finding("ROOT")())
        self.assertIsNotNone(SystemAccounts(EVERYONE).finding("root")())

    def test_noDescriptors(self) -> None:
        """A process without a descriptor left doesn't say of anybody that they don't exist."""
        accounts = SystemAccounts(EVERYONE)
        with noDescriptors():
            # Not root, whom systemd's part of the name service knows without looking.
            error = self.assertRaises(DirectoryError, accounts.finding("daemon"))
            other = self.assertRaises(DirectoryError, accounts.listing(10))
        self.assertEqual(str(error), "can't look up accounts: Too many open files")
        self.assertIn("Too many open files", str(other))

    def test_list(self) -> None:
        """The list has the accounts in the order of the system, the first ones only."""
        all_ = [entry.pw_name for entry in pwd.getpwall()]
        for limit in (1, 3, 5000):
            listed = [a.login for a in SystemAccounts(EVERYONE).listing(limit)()]
            self.assertEqual(listed, all_[:limit])
        self.assertEqual(SystemAccounts(EVERYONE).listing(0)(), [])

    def test_listSome(self) -> None:
        """Accounts with uids that don't count are not in the list and take no place in it."""
        system = range(1, 1000)
        some = [entry.pw_name for entry in pwd.getpwall() if entry.pw_uid in system]
        listed = [account.login for account in SystemAccounts(system).listing(3)()]
        self.assertEqual(listed, some[:3])

    def test_listEndless(self) -> None:
        """A name service with no end of accounts gives as many as are wanted."""
        script = 'i=0; while :; do i=$((i+1)); echo "u$i:x:$i:0::/:"; done'
        self.assertEqual(self.listing(script, limit=3), ["u1", "u2", "u3"])

    def test_listTwice(self) -> None:
        """An account that two sources have, and one nobody can ask for, is listed once or not."""
        script = "echo a:x:1:1::/a:; echo a:x:2:2::/b:; echo a@b:x:3:3::/:; echo c:x:4:4::/c:"
        self.assertEqual(self.listing(script), ["a", "c"])

    def test_listFails(self) -> None:
        """A getent(1) that fails, dies or isn't there is not an empty list."""
        for script, reason in (
            ("echo a:x:1:1::/a:; exit 3", "getent passwd ended with status 3"),
            ("kill -9 $$", "getent passwd ended with status -9"),
            ("exec 1>&-; exec sleep 600", "getent passwd took longer than 0.1 seconds"),
            ("exec yes nonsense", "getent passwd took longer than 0.1 seconds"),
            ("exec sleep 600", "getent passwd took longer than 0.1 seconds"),
        ):
            seconds = 0.1 if "longer" in reason else 60.0
            error = self.assertRaises(DirectoryError, self.listing, script, seconds)
            self.assertEqual(str(error), reason)
        accounts = SystemAccounts(EVERYONE, getent="/nonexistent/getent")
        error = self.assertRaises(DirectoryError, accounts.listing(1))
        self.assertEqual(str(error), "can't run /nonexistent/getent: No such file or directory")

    def test_noGetent(self) -> None:
        """A system without getent(1) still finds users; listing them fails in words."""
        self.patch(os, "defpath", "/nonexistent")
        self.patch(os, "environ", {"PATH": "/nonexistent"})
        accounts = SystemAccounts(EVERYONE)
        self.assertIsNotNone(accounts.finding("root")())
        error = self.assertRaises(DirectoryError, accounts.listing(1))
        self.assertIn("no getent(1)", str(error))

    def test_nothingIsLeft(self) -> None:
        """No process and no descriptor is left of a listing, however it ended."""
        before = os.listdir("/proc/self/fd")
        self.listing("echo a:x:1:1::/a:")
        self.assertRaises(DirectoryError, self.listing, "exec sleep 600", 0.1)
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        children = subprocess.run(
            ["ps", "--no-headers", "-o", "args", "--ppid", str(os.getpid())],
            capture_output=True,
            check=False,
        )
        self.assertNotIn(b"sleep 600", children.stdout)

    def test_othersGoOn(self) -> None:
        """While the name service keeps a listing waiting, other threads do their work."""
        listed: list[list[str]] = []
        fifo = temporaryFolder(self) / "fifo"
        os.mkfifo(fifo)
        script = f"read line < {fifo}; echo a:x:1:1::/a:"
        thread = threading.Thread(target=lambda: listed.append(self.listing(script)))
        thread.start()
        # Opened once the script has it open too: by now it waits, and this thread doesn't.
        with open(fifo, "w") as pipe:
            self.assertEqual(listed, [])
            pipe.write("go\n")
        thread.join()
        self.assertEqual(listed, [["a"]])


class PasswdFileTests(SynchronousTestCase):
    """The accounts in a file."""

    def setUp(self) -> None:
        self.patch(looks, "Threads", NoThreads)
        self.path = temporaryFolder(self) / "people"
        self.path.write_text(
            "ada:x:1000:1::/home/ada:\neve:x:2000:1:Eve,,,:/home/eve:/bin/sh\nann:x:1001:1::/:\n"
        )
        self.clock = Clock()

    def started(self, uids: range = EVERYONE) -> PasswdFile:
        """The accounts, as a running daemon has them."""
        accounts = PasswdFile(str(self.path), self.clock, uids)
        accounts.privilegedStartService()
        accounts.startService()
        self.addCleanup(accounts.stopService)
        return accounts

    def logins(self, accounts: PasswdFile, limit: int = 10) -> list[str]:
        """The logins that are listed."""
        return [account.login for account in accounts.listing(limit)()]

    def test_accounts(self) -> None:
        """The accounts of the file are found, and listed in its order."""
        accounts = self.started()
        eve = Account("eve", 2000, "Eve,,,", "/home/eve")
        self.assertEqual(accounts.finding("eve")(), eve)
        self.assertIsNone(accounts.finding("root")())
        self.assertEqual(self.logins(accounts), ["ada", "eve", "ann"])
        self.assertEqual(self.logins(accounts, 2), ["ada", "eve"])
        self.assertEqual(str(accounts), str(self.path.absolute()))

    def test_uids(self) -> None:
        """Accounts with uids that don't count are not there."""
        accounts = self.started(range(1000, 2000))
        self.assertEqual(self.logins(accounts), ["ada", "ann"])
        self.assertIsNone(accounts.finding("eve")())

    def test_change(self) -> None:
        """A change is taken over, and what a thread was given before holds."""
        accounts = self.started()
        before, all_ = accounts.finding("eve"), accounts.listing(10)
        self.path.write_text("ada:x:1000:1::/home/ada:\n")
        os.utime(self.path, (0, 0))
        done = accounts.reload()
        self.clock.pump([0] * 10)
        self.successResultOf(done)
        self.assertIsNone(accounts.finding("eve")())
        self.assertEqual(self.logins(accounts), ["ada"])
        self.assertIsNotNone(before())
        self.assertEqual(len(all_()), 3)
