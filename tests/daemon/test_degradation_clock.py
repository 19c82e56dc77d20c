"""
A real daemon whose clock is set, an hour back and an hour forward: libfaketime stands between it
and the system's clock, and leaves the one that nobody can set (CLOCK_MONOTONIC) alone.
"""

from __future__ import annotations

import os
import socket

from tests.daemon.faults import FAILED, FaultCase, clockOf, until
from tests.support.daemon import TWISTD, Daemon

_HOUR = 3600


class ClockTests(FaultCase):
    """Deadlines pass and changes are seen as if nobody had touched the clock."""

    def setUp(self) -> None:
        super().setUp()
        self.offset = self.file("offset", "+0\n")
        os.mkfifo(self.folder / "begun", 0o666)
        os.mkfifo(self.folder / "go", 0o666)
        for name in ("begun", "go"):
            (self.folder / name).chmod(0o666)

    def clocked(self, *options: str) -> Daemon:
        """A daemon with a clock of its own."""
        return self.daemon(
            *options,
            command=(*clockOf(self.offset), TWISTD),
        )

    def setClock(self, seconds: int) -> None:
        """Let the daemon's clock be so far from this one."""
        new = self.file("offset.new", f"{seconds:+}\n")
        os.rename(new, self.offset)

    def begun(self) -> str:
        """Wait until a program runs that says so and waits to be let go."""
        # To the end: before it, the same program could still be the next one's writer.
        with open(self.folder / "begun") as begun:
            return begun.read()

    def waiting(self) -> str:
        """The URL of such a program."""
        folder = self.folder
        return self.program(
            f'[ $# = 2 ] || exit 0\necho $2 > {folder}/begun\nread word < {folder}/go\necho "$word"'
        )

    def ask(self, daemon: Daemon, query: bytes) -> socket.socket:
        connection = self.connect(daemon)
        connection.sendall(query)
        return connection

    def test_lookups(self) -> None:
        """
        Set back, it still ends a lookup that takes too long, one that began before as well as one
        after; set forward, it lets one that hasn't taken too long go on.
        """
        with self.clocked(f"--directory={self.waiting()}", "--limit=programTime=60") as daemon:
            before = self.ask(daemon, b"before\n")
            self.assertEqual(self.begun(), "before\n")
            self.setClock(-_HOUR)
            after = self.ask(daemon, b"after\n")
            self.assertEqual(self.begun(), "after\n")
            for connection in (before, after):
                self.assertTrue(connection.recv(1000).startswith(FAILED))
            during = self.ask(daemon, b"during\n")
            self.assertEqual(self.begun(), "during\n")
            self.setClock(+_HOUR)
            # It has looked at its clock when it has answered this.
            self.assertEqual(daemon.ask(b"+\n"), b"No such user\r\n")
            (self.folder / "go").write_text("There\n")
            self.assertEqual(during.recv(1000), b"There\r\n")

    def test_files(self) -> None:
        """It goes on looking for changes, and what has changed shows, in the list as well."""
        with self.clocked() as daemon:
            self.assertEqual(daemon.ask(b"\n"), b"moshez  Happy and well\r\n")
            for number, seconds in enumerate((-_HOUR, _HOUR, 0)):
                self.setClock(seconds)
                self.replace(f"moshez:Version {number}\n")
                self.shows(daemon, b"moshez\n", f"Version {number}\r\n".encode())
                self.shows(daemon, b"\n", f"moshez  Version {number}\r\n".encode())

    def test_statuses(self) -> None:
        """
        What is set is acknowledged, shows and stays, whatever the clock says. A status with an
        end has it by the clock.
        """
        with self.clocked() as daemon:
            self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
            for number, seconds in enumerate((-_HOUR, _HOUR, 0)):
                self.setClock(seconds)
                self.assertEqual(daemon.set("moshez", f"Writing {number}"), b"OK\r\n")
                self.assertEqual(daemon.ask(b"moshez\n"), f"Writing {number}\r\n".encode())
            self.assertEqual(daemon.set("moshez 3", "At lunch\n30m"), b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\n"), b"At lunch\r\n")
            self.setClock(_HOUR)
            self.assertEqual(daemon.ask(b"moshez\n"), b"Writing 2\r\n")
            self.setClock(0)
            self.assertEqual(daemon.ask(b"moshez\n"), b"At lunch\r\n")

    def test_stop(self) -> None:
        """It stops as ever, with a client connected that says nothing."""
        with self.clocked() as daemon:
            self.connect(daemon)
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
            self.setClock(-_HOUR)
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
        until(lambda: "Server Shut Down" in "".join(daemon.log), "stopped")
