"""The system's accounts, by uid."""

from __future__ import annotations

import os
import pwd
import threading

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from fingerd.accounts import Accounts

UNUSED = 0x7FFFFFF0


class AccountsTests(TestCase):
    """Logins of real uids."""

    async def test_login(self) -> None:
        """A uid's login is the system's; one without an account has none."""
        accounts = Accounts(reactor)
        self.addCleanup(accounts.stop)
        expected = pwd.getpwuid(os.getuid()).pw_name
        self.assertEqual(await accounts.loginOf(os.getuid()), expected)
        self.assertIsNone(await accounts.loginOf(UNUSED))

    async def test_slow(self) -> None:
        """While the system takes its time, the reactor runs, and one thread asks for many."""
        asked: list[int] = []
        go = threading.Event()

        def look(uid: int) -> pwd.struct_passwd:
            asked.append(uid)
            # Set by the reactor, which therefore isn't held.
            go.wait()
            return pwd.getpwuid(uid)

        accounts = Accounts(reactor, look)
        self.addCleanup(accounts.stop)
        looking = gatherResults([accounts.loginOf(0) for _ in range(100)])
        reactor.callLater(0, go.set)
        self.assertEqual(set(await looking), {pwd.getpwuid(0).pw_name})
        self.assertEqual(asked, [0])
        # Later it is asked again: accounts come and go.
        await accounts.loginOf(0)
        self.assertEqual(asked, [0, 0])

    async def test_givenUp(self) -> None:
        """Whoever gives up waiting costs the others nothing."""
        go = threading.Event()

        def look(uid: int) -> pwd.struct_passwd:
            go.wait()
            return pwd.getpwuid(uid)

        accounts = Accounts(reactor, look)
        self.addCleanup(accounts.stop)
        hasty, patient = accounts.loginOf(0), accounts.loginOf(0)
        hasty.addErrback(lambda failure: None)
        hasty.cancel()
        go.set()
        self.assertEqual(await patient, pwd.getpwuid(0).pw_name)

    async def test_failure(self) -> None:
        """A failure is a failure for all who wait, and never "no such account"."""

        def look(uid: int) -> pwd.struct_passwd:
            raise OSError("broken")

        accounts = Accounts(reactor, look)
        self.addCleanup(accounts.stop)
        for looking in [accounts.loginOf(0), accounts.loginOf(0)]:
            with self.assertRaises(OSError):
                await looking
