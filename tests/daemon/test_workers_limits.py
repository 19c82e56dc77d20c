"""Limits hold for the daemon as a whole, however many workers it has."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fingerd.model import texts
from tests.daemon.test_workers import ANSWER, WorkersCase
from tests.support.daemon import PATIENCE, exchange
from tests.support.workers import Watched, WorkersDaemon, status

# As a load balancer says where a client is.
HEADER = b"PROXY TCP4 192.0.2.7 192.0.2.1 1024 79\r\n"
MOST = 40


class Held:
    """Connections that are held open by a client."""

    def __init__(self, port: int, count: int, begun: bytes) -> None:
        """
        @param begun: what they send at first, so that they are accepted at once.
        """
        self._selector = selectors.DefaultSelector()
        self._clients: list[socket.socket] = []
        self.ended: Counter[bytes] = Counter()
        for _ in range(count):
            try:
                client = socket.create_connection(("127.0.0.1", port), PATIENCE)
            except ConnectionResetError:
                # It was turned away before this process had another turn.
                self.ended[b""] += 1
                continue
            self._clients.append(client)
            self._selector.register(client, selectors.EVENT_READ)
            # Its end is seen where others' are. (Trial has a meaning of its own for a module's
            # C{suppress}.)
            with contextlib.suppress(ConnectionError):
                client.sendall(begun)

    def waitForEnds(self, count: int, areGreeted: bool = False) -> int:
        """
        Wait until so many are over, or more, or none ends any more; how many are.

        @param areGreeted: whether those are told something that are not over.
        """
        while self.ended.total() < count:
            ready = self._selector.select(PATIENCE)
            if not ready:
                break
            for key, _ in ready:
                client = key.fileobj
                assert isinstance(client, socket.socket)
                try:
                    data = client.recv(100)
                except ConnectionResetError:
                    data = b""
                if areGreeted and data:
                    continue
                self.ended[data] += 1
                self._selector.unregister(client)
        return self.ended.total()

    def waitForGreetings(self) -> None:
        """Wait until each is told something."""
        for client in self._clients:
            assert client.recv(1, socket.MSG_PEEK)

    def close(self) -> None:
        """Close all of them."""
        self._selector.close()
        for client in self._clients:
            client.close()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a worker do nothing for a while, so that others accept all clients."""
    os.kill(pid, signal.SIGSTOP)
    try:
        while status(pid, "State")[0] != "T":
            pass
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
class LimitTests(WorkersCase):
    """Four workers, and clients of one address."""

    def started(self, *limits: str) -> WorkersDaemon:
        """A daemon with these limits."""
        return self.daemon(*(f"--limit={limit}" for limit in limits), workers=4)

    def hold(self, port: int, count: int, begun: bytes = b"m") -> Held:
        """Hold connections until the test is over."""
        held = Held(port, count, begun)
        self.addCleanup(held.close)
        return held

    def assertNear(self, count: float, most: float) -> None:
        """It is within a tenth of the limit."""
        self.assertGreaterEqual(count, 0.9 * most - 1)
        self.assertLessEqual(count, 1.1 * most + 1)

    def checkQueries(self, daemon: WorkersDaemon, header: bytes = b"") -> None:
        """One client asks twice as often as it may."""
        began = time.monotonic()
        answers = Counter(exchange(daemon.port, header + b"moshez\r\n") for _ in range(2 * MOST))
        # Some more as time goes on.
        allowed = MOST * (1 + (time.monotonic() - began) / 60)
        self.assertNear(answers[ANSWER], allowed)
        self.assertEqual(len(answers), 2, answers)

    def test_queries(self) -> None:
        """One peer asks so often in a minute, also where a load balancer says who it is."""
        with self.started(f"peerQueries={MOST}") as daemon:
            self.checkQueries(daemon)
        options = (f"--limit=peerQueries={MOST}", "--proxy-from=127.0.0.1")
        with self.daemon(*options, workers=4) as daemon:
            self.checkQueries(daemon, HEADER)

    def test_peerConnections(self) -> None:
        """
        One peer has so many connections, also where a load balancer says who it is. A worker that
        is killed gives back those that it had.
        """
        limits = (f"--limit=peerConnections={MOST}", "--limit=connectionTime=3600")
        for header in (b"", HEADER):
            proxied = ("--proxy-from=127.0.0.1",) if header else ()
            with self.daemon(*limits, *proxied, workers=4) as daemon:
                held = self.hold(daemon.port, 2 * MOST, header + b"m")
                self.assertNear(2 * MOST - held.waitForEnds(MOST - MOST // 10), MOST)
                victims = daemon.workers()
                for victim in victims:
                    watched = Watched(victim)
                    watched.kill()
                    self.assertTrue(watched.over())
                held.waitForEnds(2 * MOST)
                for victim in victims:
                    daemon.says(rf"the worker with pid {victim} has ended")
                again = self.hold(daemon.port, 2 * MOST, header + b"m")
                self.assertNear(2 * MOST - again.waitForEnds(MOST - MOST // 10), MOST)

    def test_connections(self) -> None:
        """Of more connections than there may be, the oldest end, whichever workers have them."""
        limits = (f"connections={MOST}", "peerConnections=1000", "connectionTime=3600")
        with self.started(*limits) as daemon:
            held = self.hold(daemon.port, 2 * MOST)
            left = 2 * MOST - held.waitForEnds(MOST - MOST // 10)
            self.assertLessEqual(left, 1.1 * MOST + 1)
            self.assertGreaterEqual(left, 0.8 * MOST)
            # And there is still room for who asks.
            for _ in range(20):
                self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)

    def test_ssh(self) -> None:
        """
        One peer has so many connections by SSH, whichever workers have them, and beside those of
        its queries.
        """
        most = 3
        options = (
            "--ssh=tcp:0:interface=127.0.0.1",
            "--setter=tcp:0:interface=127.0.0.1",
            f"--state={self.folder / 'state'}",
            f"--limit=sshPeerConnections={most}",
            "--limit=sshLoginTime=3600",
            "--limit=connectionTime=3600",
            "--limit=workerSilence=3600",
            "--limit=stopSilence=0.1",
        )
        with self.daemon(*options, workers=2) as daemon:
            port = int(daemon.says(r"ssh on 127\.0\.0\.1:(\d+)")[1])
            asking = self.hold(daemon.port, MOST // 2)
            first, second = daemon.workers()
            with stopped(second):
                held = self.hold(port, most, b"")
                held.waitForGreetings()
            with stopped(first):
                more = self.hold(port, 2, b"")
                self.assertEqual(more.waitForEnds(2, areGreeted=True), 2)
                self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)
            self.assertEqual((asking.ended.total(), held.ended.total()), (0, 0))

    def test_lookups(self) -> None:
        """So many lookups wait, and others are refused in words."""
        limits = (f"--limit=lookups={MOST}", "--limit=lookupTime=3600", "--limit=upstreamTime=3600")
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(100)
            upstream = f"--directory=finger://127.0.0.1:{silent.getsockname()[1]}"
            more = (
                upstream,
                "--limit=peerConnections=1000",
                "--limit=upstreamWait=3600",
                "--limit=connectionTime=3600",
                "--limit=upstreamWaiting=1000",
                "--limit=peerLookups=1000",
            )
            with self.daemon(*limits, *more, "--limit=stopTime=0.1", workers=4) as daemon:
                held = self.hold(daemon.port, 2 * MOST, b"nobody\r\n")
                self.assertNear(2 * MOST - held.waitForEnds(MOST - MOST // 10), MOST)
                [words] = held.ended
                self.assertIn(texts.TOO_MANY_LOOKUPS.encode(), words)
