"""The daemon's log as it is written, for tests of what floods it."""

from __future__ import annotations

import io

from twisted.internet.task import Clock
from twisted.logger import LogPublisher, globalLogPublisher, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from fingerd.logs.daemon_log import DaemonLog
from fingerd.model.limits import DEFAULTS, Limits


class WrittenLog:
    """A daemon's log, of what is logged until the test's end."""

    def __init__(self, test: SynchronousTestCase, limits: Limits = DEFAULTS) -> None:
        self.clock = Clock()
        self._file = io.StringIO()
        publisher = LogPublisher()
        self.daemonLog = DaemonLog("text", self.clock, limits, publisher)
        publisher.addObserver(textFileLogObserver(self._file))
        globalLogPublisher.addObserver(publisher)
        test.addCleanup(globalLogPublisher.removeObserver, publisher)

    def lines(self) -> list[str]:
        """The texts of the lines that were written since this was last asked."""
        text = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return [line.partition("] ")[2] for line in text.splitlines() if "] " in line]

    def sums(self) -> list[str]:
        """What is said when the time is over in which lines were left out."""
        self.lines()
        self.clock.advance(60)
        return self.lines()
