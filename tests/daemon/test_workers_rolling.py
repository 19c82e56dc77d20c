"""Workers that are replaced one by one, and logs that they write together, under load."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import Counter
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.daemon.test_workers import ANSWER, MANY, WorkersCase
from tests.support.daemon import PATIENCE
from tests.support.workers import Watched, status

CLIENTS = 32


class Load:
    """Clients that ask one query after the other, until that is to be over."""

    def __init__(self, port: int, wait: float = 0.0) -> None:
        """
        @param wait: seconds between connection and query.
        """
        self.got: Counter[str] = Counter()
        self._address = ("127.0.0.1", port)
        self._wait = wait
        self._over = Event()
        self._threads = [Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> Counter[str]:
        """What became of all who connected."""
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        return self.got

    def _ask(self) -> None:
        got: Counter[str] = Counter()
        while not self._over.is_set():
            answer = b""
            try:
                with socket.create_connection(self._address, PATIENCE) as client:
                    self._over.wait(self._wait)
                    client.sendall(b"moshez\r\n")
                    while received := client.recv(100):
                        answer += received
            except OSError as error:
                got[repr(error)] += 1
            else:
                got["answered" if answer == ANSWER else repr(answer)] += 1
        self.got += got


@pytest.mark.slow
class RollingTests(WorkersCase):
    """SIGUSR2, and SIGUSR1 before it."""

    def test_underLoad(self) -> None:
        """
        Two workers are replaced, one after the other, while many ask, at once and a moment after
        they have connected: all are answered. Each query is a whole line of the log, before and
        after it was rotated.
        """
        log = self.folder / "queries"
        with self.daemon(*MANY, f"--query-log={log}") as daemon:
            workers = daemon.workers()
            loads = [Load(daemon.port), Load(daemon.port, 0.02)]
            while not log.exists() or not log.stat().st_size:
                pass
            log.rename(log.with_suffix(".1"))
            daemon.signal(signal.SIGUSR1)
            daemon.signal(signal.SIGUSR2)
            daemon.says("all workers are new")
            self.assertEqual(set(workers) & set(daemon.workers()), set())
            got = loads[0].end() + loads[1].end()
            self.assertEqual(len(daemon.workers()), len(workers))
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.ended(), -signal.SIGTERM)
        self.assertEqual(list(got), ["answered"], got)
        rotated, current = _queries(log.with_suffix(".1")), _queries(log)
        self.assertGreater(min(rotated, current), 0)
        self.assertEqual(rotated + current, got["answered"])
        self.assertEqual([line for line in daemon.log if "Traceback" in line], [])

    def test_impossible(self) -> None:
        """Where new workers can't start, the old ones go on, and the log says so."""
        with self.daemon() as daemon:
            workers = daemon.workers()
            self.users.rename(self.folder / "elsewhere")
            daemon.signal(signal.SIGUSR2)
            daemon.says("a new worker can't be started: the others go on as they are")
            self.assertEqual(daemon.workers(), workers)
            self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)

    def test_stopped(self) -> None:
        """
        A daemon that is stopped while its workers are replaced starts no more of them, and says
        nothing of those that don't answer.
        """
        with self.daemon("--limit=stopTime=300") as daemon:
            hanging, second = daemon.workers()
            os.kill(hanging, signal.SIGSTOP)
            daemon.signal(signal.SIGUSR2)
            # It waits for this one's end until it goes on with the next.
            while not _isToldToEnd(hanging):
                pass
            [new] = set(daemon.workers()) - {hanging, second}
            others = Watched(second, new)
            daemon.signal(signal.SIGTERM)
            self.assertTrue(others.over())
            last = Watched(hanging)
            last.kill()
            self.assertTrue(last.over())
            started: set[int] = set()
            while status(daemon.pid, "State")[0] != "Z":
                started.update(daemon.workers())
            self.assertEqual(started - {hanging, second, new}, set())
            self.assertEqual(daemon.ended(), -signal.SIGTERM)
        self.assertEqual([line for line in daemon.log if "Unhandled" in line], [])


def _isToldToEnd(pid: int) -> bool:
    """Whether SIGTERM waits for a process that is stopped."""
    [signals] = status(pid, "ShdPnd")
    return bool(int(signals, 16) & 1 << (signal.SIGTERM - 1))


def _queries(path: Path) -> int:
    """How many lines a log of queries has, all of them whole."""
    lines = path.read_text().splitlines()
    assert all(json.loads(line)["query"] == "moshez" for line in lines)
    return len(lines)
