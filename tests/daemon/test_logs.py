"""The logs of a real daemon, as its options make them."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import ROOT, Daemon, exchange
from tests.support.ports import temporaryFolder

USERS = f"--users={ROOT / 'etc' / 'users.example'}"


class QueryLogTests(SynchronousTestCase):
    """``--query-log``."""

    def setUp(self) -> None:
        folder = Path(temporaryFolder(self))
        self.path = folder / "open" / "queries.log"
        self.path.parent.mkdir()
        # Where whoever the daemon is may write.
        self.path.parent.chmod(0o777)

    def daemon(self, *arguments: str) -> Daemon:
        """A daemon with a log of queries."""
        log = f"--query-log={self.path}"
        listen = "--listen=tcp:0:interface=127.0.0.1"
        return Daemon("-n", "--pidfile=", "finger", listen, "--no-setter", USERS, log, *arguments)

    def lines(self, path: Path | None = None) -> list[dict[str, Any]]:
        """What is in the log."""
        return [json.loads(line) for line in (path or self.path).read_text().splitlines()]

    def test_oneLineEach(self) -> None:
        """Each query is a line, whatever becomes of it, and all are there when the daemon ends."""
        asked = {
            b"moshez\r\n": "found",
            b"nobody\r\n": "unknown",
            b"\r\n": "list",
            b"moshez radix\r\n": "several",
            b"moshez@example.com\r\n": "refused",
            b"x" * 600: "too-long",
            b"a\x1b]0;b\n": "unknown",
        }
        with self.daemon() as daemon:
            sizes = [len(daemon.ask(query)) for query in asked]
            daemon.signal(signal.SIGTERM)
            daemon.ended()
        lines = self.lines()
        self.assertEqual([line["outcome"] for line in lines], list(asked.values()))
        self.assertEqual([line["bytes"] for line in lines], sizes)
        self.assertEqual({line["peer"] for line in lines}, {"127.0.0.1"})
        self.assertEqual({line["door"] for line in lines}, {"tcp"})
        self.assertTrue(self.path.read_bytes().replace(b"\n", b"").isascii())
        self.assertNotIn(b"\x1b", self.path.read_bytes())

    def test_rotated(self) -> None:
        """A log that was taken away is begun anew at SIGUSR1; no line is lost between the two."""
        with self.daemon() as daemon:
            daemon.ask(b"moshez\r\n")
            old = self.path.with_name("old")
            os.rename(self.path, old)
            daemon.signal(signal.SIGUSR1)
            while not self.path.exists():
                daemon.ask(b"radix\r\n")
            daemon.ask(b"glyph\r\n")
            daemon.signal(signal.SIGTERM)
            daemon.ended()
        queries = [line["query"] for line in self.lines(old) + self.lines()]
        self.assertEqual((queries[0], queries[-1]), ("moshez", "glyph"))

    def test_peers(self) -> None:
        """Clients are masked, or not told of at all; a text is a line too."""
        with self.daemon("--log-peers=masked", "--limit=peerQueries=1") as daemon:
            daemon.ask(b"moshez\r\n")
            daemon.ask(b"moshez\r\n")
        lines = [(line["peer"], line["outcome"]) for line in self.lines()]
        self.assertEqual(lines, [("127.0.0.0/24", "found"), ("127.0.0.0/24", "limited")])
        self.path.unlink()
        with self.daemon("--log-peers=none", "--query-log-format=text") as daemon:
            daemon.ask(b"moshez\r\n")
        self.assertIn(' peer=- door=tcp query="moshez" outcome=found ', self.path.read_text())

    def test_goneAtTheStop(self) -> None:
        """A query is logged, too, whose client goes away while the daemon stops."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            other = f"--directory=finger://127.0.0.1:{silent.getsockname()[1]}"
            with self.daemon(other) as daemon:
                client = socket.create_connection(("127.0.0.1", daemon.port))
                client.sendall(b"somebody\r\n")
                asked, _ = silent.accept()
                daemon.signal(signal.SIGTERM)
                daemon.says("SIGTERM")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                daemon.ended()
                asked.close()
        (line,) = self.lines()
        self.assertEqual((line["query"], line["outcome"]), ("somebody", "gone"))

    def test_whereItCannotBe(self) -> None:
        """A log that can't be written ends the start with one line that says so."""
        where = "--query-log=/dev/full/queries"
        daemon = Daemon("-n", "--pidfile=", "finger", "--listen=tcp:0", "--no-setter", USERS, where)
        daemon._reader.join()
        self.assertNotEqual(daemon.ended(), 0)
        self.assertIn("/dev/full/queries", daemon.log[-2])
        daemon.__exit__()


class DaemonLogTests(SynchronousTestCase):
    """``--log-format`` and ``--query-log=-``."""

    def test_json(self) -> None:
        """Every line of the log is JSON: the daemon's own, Twisted's, and the queries."""
        options = "--log-format=json", "--query-log=-", "--setter=tcp:0:interface=127.0.0.1"
        listen = "--listen=tcp:0:interface=127.0.0.1"
        with Daemon("-n", "--pidfile=", "finger", listen, USERS, *options) as daemon:
            exchange(daemon.port, b"moshez\r\n")
            daemon.set("moshez", "Busy")
            daemon.signal(signal.SIGTERM)
            daemon.ended()
        lines = [json.loads(line) for line in daemon.log if line]
        self.assertEqual([line["query"] for line in lines if "query" in line], ["moshez"])
        self.assertTrue(any("status of 'moshez'" in line.get("message", "") for line in lines))
