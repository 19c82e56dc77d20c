"""A daemon that is told to stop answers all who had connected."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import PATIENCE, Daemon
from tests.support.ports import temporaryFolder

ANSWER = b"Happy and well\r\n"


class Asking:
    """Clients that ask, one query after the other, until nobody lets them in any more."""

    def __init__(self, address: tuple[str, int] | str, wait: float, clients: int = 8) -> None:
        """
        @param address: where they connect to, or the path of a socket.
        @param wait: seconds between connection and query.
        """
        self.got: Counter[str] = Counter()
        self.asking = threading.Event()
        self._address = address
        self._wait = wait
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def end(self) -> Counter[str]:
        """What became of those who had connected, when no more can."""
        for thread in self._threads:
            thread.join(PATIENCE)
        return self.got

    def _ask(self) -> None:
        while True:
            unix = isinstance(self._address, str)
            with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as client:
                client.settimeout(PATIENCE)
                try:
                    client.connect(self._address)
                except OSError:
                    return
                try:
                    time.sleep(self._wait)
                    client.sendall(b"moshez\r\n")
                    answer = b""
                    while received := client.recv(100):
                        answer += received
                except OSError as error:
                    self.got[repr(error)] += 1
                else:
                    self.got["answered" if answer == ANSWER else repr(answer)] += 1
                    self.asking.set()


class StoppingTests(SynchronousTestCase):
    """SIGTERM, while clients come one after the other."""

    def check(self, wait: float, unix: bool = False, *options: str) -> None:
        """All who got in are answered, and the daemon ends."""
        folder = temporaryFolder(self)
        folder.chmod(0o777)
        users = folder / "users"
        users.write_text("moshez:Happy and well\n")
        path = str(Path(folder) / "finger")
        door = f"unix:{path}" if unix else "tcp:0:interface=127.0.0.1"
        common = (f"--listen={door}", "--no-setter", f"--users={users}")
        limits: tuple[str, ...] = ("--limit=peerQueries=1000000", "--limit=peerConnections=1000")
        # Enough for a client on a busy machine.
        limits = (*limits, "--limit=stopSilence=30", "--limit=stopTime=40")
        with Daemon("-n", "--pidfile=", "finger", *common, *limits, *options) as daemon:
            asking = Asking(path if unix else ("127.0.0.1", daemon.port), wait)
            asking.asking.wait(PATIENCE)
            daemon.signal(signal.SIGTERM)
            got = asking.end()
            daemon.ended()
        self.assertEqual(list(got), ["answered"], got)

    def test_atOnce(self) -> None:
        """Clients that ask as soon as they have connected."""
        self.check(0)

    def test_later(self) -> None:
        """Clients that ask some time after that, as over a network."""
        self.check(0.02)
        self.check(0.5)

    def test_unix(self) -> None:
        """Clients of a socket."""
        self.check(0, True)
        self.check(0.02, True)

    def test_ordinary(self) -> None:
        """Clients of a port that knows no short way."""
        self.check(0, False, "--proxy-from=192.0.2.1")
        self.check(0.02, False, "--proxy-from=192.0.2.1")

    def test_idle(self) -> None:
        """A daemon that nobody asks stops at once."""
        with Daemon(
            "-n", "--pidfile=", "finger", "--no-setter", "--listen=tcp:0:interface=127.0.0.1"
        ) as daemon:
            pass
        self.assertEqual([line for line in daemon.log if "Traceback" in line], [])
