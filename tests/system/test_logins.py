"""The logins of uids, as the system tells them."""

from __future__ import annotations

import os
import pwd
import threading
from dataclasses import replace
from typing import cast

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.trial.unittest import TestCase

from fingerd.model.limits import DEFAULTS
from fingerd.system.logins import Logins

UNUSED = 0x7FFFFFF0


class Now:
    """The reactor, with a time of its own."""

    callFromThread = staticmethod(cast(IReactorFromThreads, reactor).callFromThread)
    callLater = staticmethod(cast(IReactorTime, reactor).callLater)

    def __init__(self) -> None:
        self.now = 0.0

    def seconds(self) -> float:
        return self.now


class LoginsTests(TestCase):
    """Logins of real uids."""

    async def test_login(self) -> None:
        """A uid's login is the system's; one without an account has none."""
        logins = Logins(reactor)
        self.addCleanup(logins.stop)
        expected = pwd.getpwuid(os.getuid()).pw_name
        self.assertEqual(await logins.loginOf(os.getuid()), expected)
        self.assertIsNone(await logins.loginOf(UNUSED))

    async def test_slow(self) -> None:
        """While the system takes its time, the reactor runs, and one thread asks for many."""
        asked: list[int] = []
        go = threading.Event()

        def look(uid: int) -> pwd.struct_passwd:
            asked.append(uid)
            # Set by the reactor, which therefore isn't held.
            go.wait()
            return pwd.getpwuid(uid)

        logins = Logins(reactor, look)
        self.addCleanup(logins.stop)
        looking = gatherResults([logins.loginOf(0) for _ in range(100)])
        reactor.callLater(0, go.set)
        self.assertEqual(set(await looking), {pwd.getpwuid(0).pw_name})
        self.assertEqual(asked, [0])

    async def test_kept(self) -> None:
        """A login is good for a second from when it was asked for: accounts come and go."""
        names = iter(["moshez", "itamar", "glyph"])
        clock = Now()

        def look(uid: int) -> pwd.struct_passwd:
            # It takes the system a while to say.
            clock.now += 0.25
            return pwd.struct_passwd((next(names), "", uid, 0, "", "/", ""))

        logins = Logins(clock, look, replace(DEFAULTS, loginKept=1.0))
        self.addCleanup(logins.stop)
        for now, login in ((0.0, "moshez"), (0.99, "moshez"), (1.0, "itamar"), (2.1, "glyph")):
            clock.now = now
            self.assertEqual(await logins.loginOf(1000), login)

    async def test_notKept(self) -> None:
        """That there is no account, or that the system can't say, is asked anew each time."""
        answers = iter([KeyError(), OSError("broken"), None])

        def look(uid: int) -> pwd.struct_passwd:
            answer = next(answers)
            if answer is not None:
                raise answer
            return pwd.struct_passwd(("moshez", "", uid, 0, "", "/", ""))

        logins = Logins(Now(), look)
        self.addCleanup(logins.stop)
        self.assertIsNone(await logins.loginOf(1000))
        with self.assertRaises(OSError):
            await logins.loginOf(1000)
        self.assertEqual(await logins.loginOf(1000), "moshez")

    async def test_others(self) -> None:
        """Each uid has its own login, also where more ask than are remembered."""

        def look(uid: int) -> pwd.struct_passwd:
            return pwd.struct_passwd((f"user{uid}", "", uid, 0, "", "/", ""))

        logins = Logins(Now(), look, replace(DEFAULTS, setterWaiting=5))
        self.addCleanup(logins.stop)
        for uid in [*range(20), *range(20)]:
            self.assertEqual(await logins.loginOf(uid), f"user{uid}")
        self.assertLessEqual(len(logins._known), 5)

    async def test_givenUp(self) -> None:
        """Whoever gives up waiting costs the others nothing."""
        go = threading.Event()

        def look(uid: int) -> pwd.struct_passwd:
            go.wait()
            return pwd.getpwuid(uid)

        logins = Logins(reactor, look)
        self.addCleanup(logins.stop)
        hasty, patient = logins.loginOf(0), logins.loginOf(0)
        hasty.addErrback(lambda failure: None)
        hasty.cancel()
        go.set()
        self.assertEqual(await patient, pwd.getpwuid(0).pw_name)

    async def test_failure(self) -> None:
        """A failure is a failure for all who wait, and never "no such account"."""

        def look(uid: int) -> pwd.struct_passwd:
            raise OSError("broken")

        logins = Logins(reactor, look)
        self.addCleanup(logins.stop)
        for looking in [logins.loginOf(0), logins.loginOf(0)]:
            with self.assertRaises(OSError):
                await looking
