"""What is done when the process gets a signal."""

from __future__ import annotations

import os
import signal
from typing import cast

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import TestCase

from fingerd.system.signals import OnSignal
from tests.support.ports import turn, until


class OnSignalTests(TestCase):
    """SIGUSR1, sent to this process."""

    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
        self.told: list[str] = []

    def service(self, word: str) -> OnSignal:
        return OnSignal(
            signal.SIGUSR1,
            lambda: self.told.append(word),
            cast(IReactorFromThreads, reactor),
        )

    async def test_called(self) -> None:
        """Each signal is one call, from before the daemon becomes its user on."""
        service = self.service("told")
        service.privilegedStartService()
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: self.told)
        service.startService()
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: len(self.told) == 2)
        service.stopService()

    async def test_beside(self) -> None:
        """Several may want the same signal, and what was done before is done too."""
        signal.signal(signal.SIGUSR1, lambda number, frame: self.told.append("before"))
        services = [self.service("first"), self.service("second")]
        for service in services:
            service.startService()
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: len(self.told) == 3)
        self.assertEqual(sorted(self.told), ["before", "first", "second"])
        for service in reversed(services):
            service.stopService()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual(self.told[3:], ["before"])

    async def test_stopping(self) -> None:
        """It doesn't end a daemon that is still finishing its answers."""
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        service = self.service("told")
        service.startService()
        service.stopService()
        os.kill(os.getpid(), signal.SIGUSR1)
        await turn()
        self.assertEqual(self.told, [])
