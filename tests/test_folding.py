"""The log of a daemon that runs out of descriptors."""

from __future__ import annotations

from io import StringIO

from twisted.internet.tcp import Port
from twisted.logger import Logger, LogLevel, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from fingerd.folding import FoldedPorts
from fingerd.limits import Limits


class FoldedPortsTests(SynchronousTestCase):
    """A log in memory, with the lines that come from Twisted's ports."""

    def setUp(self) -> None:
        self.now = 0.0
        self.text = StringIO()
        observer = textFileLogObserver(self.text, timeFormat=None)
        limits = Limits(portEventsLogged=2, portEventsTime=60.0)
        self.folded = FoldedPorts(observer, limits, lambda: self.now)
        self.ports = Logger(f"{Port.__module__}.{Port.__name__}", observer=self.folded)

    def closed(self, count: int) -> None:
        for number in range(count):
            self.ports.info("EMFILE recovery: Closed socket from {address}", address=number)

    def lines(self) -> list[str]:
        """What has come to the log since this was last asked for."""
        lines = [line.partition("] ")[2] for line in self.text.getvalue().splitlines()]
        self.text.seek(0)
        self.text.truncate()
        return lines

    def test_flood(self) -> None:
        """The first are there; how many more there were is said when the next one comes."""
        self.closed(1000)
        closed = "EMFILE recovery: Closed socket from"
        self.assertEqual(self.lines(), [f"{closed} 0", f"{closed} 1"])
        self.now = 60.0
        self.closed(1)
        self.assertEqual(self.lines(), [f"998 more like this: {closed} 0", f"{closed} 0"])

    def test_few(self) -> None:
        """Where there is no flood, each is there."""
        for _ in range(10):
            self.closed(2)
            self.assertEqual(len(self.lines()), 2)
            self.now += 60.0

    def test_kinds(self) -> None:
        """One kind says nothing about another."""
        self.closed(1000)
        self.lines()
        self.ports.info("Could not accept new connection ({acceptError})", acceptError="ENOMEM")
        self.assertEqual(self.lines(), ["Could not accept new connection (ENOMEM)"])

    def test_others(self) -> None:
        """All else is passed on, and so are the ports' failures."""
        other = Logger("fingerd.audit", observer=self.folded)
        for _ in range(10):
            other.info("A status was set")
            self.ports.emit(LogLevel.critical, "Could not reserve a file descriptor")
        self.assertEqual(len(self.lines()), 20)
