"""What is done when the process gets a signal."""

from __future__ import annotations

import os
import signal
import threading
from typing import cast

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import TestCase

from fingerd.system.signals import OnSignal, hold
from tests.support.ports import turn, until


class OnSignalTests(TestCase):
    """SIGUSR1, sent to this process."""

    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
        self.told: list[str] = []

    def service(self, word: str) -> OnSignal:
        return OnSignal(
            signal.SIGUSR1,
            cast(IReactorFromThreads, reactor),
            lambda: self.told.append(word),
            lambda: self.told.append("too"),
        )

    async def test_called(self) -> None:
        """Each signal calls all functions once, from before the daemon becomes its user on."""
        service = self.service("told")
        service.privilegedStartService()
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: len(self.told) == 2)
        service.startService()
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: len(self.told) == 4)
        self.assertEqual(self.told, ["told", "too"] * 2)
        service.stopService()

    async def test_held(self) -> None:
        """A signal that comes before the service has started is followed when it has."""
        hold()
        # (Threads of the test's own don't hold it back.)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        service = self.service("told")
        await turn()
        self.assertEqual(self.told, [])
        service.privilegedStartService()
        await until(lambda: len(self.told) == 2)
        service.startService()
        await turn()
        self.assertEqual(self.told, ["told", "too"])
        service.stopService()

    async def test_stopping(self) -> None:
        """It doesn't end a daemon that is still finishing its answers."""
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        service = self.service("told")
        service.startService()
        service.stopService()
        os.kill(os.getpid(), signal.SIGUSR1)
        await turn()
        self.assertEqual(self.told, [])
