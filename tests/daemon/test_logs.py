"""The logs of a real daemon, as its options make them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import NOBODY, PATIENCE, ROOT, TWISTD, Daemon, exchange, needs, needsRoot
from tests.support.ports import temporaryFolder

USERS = f"--users={ROOT / 'etc' / 'users.example'}"


# Runs twistd, and sends itself signals with all that is imported or opened, from the module or the
# file that its first argument names on, until a port is opened.
_SIGNALLED = """
import os, signal, sys
first, sent = sys.argv.pop(1), None
def hook(event, arguments):
    global sent
    if event in ("import", "open") and arguments[0] == first and sent is None:
        sent = 0
    if sent is not None and sent >= 0 and event != "os.kill":
        if event == "socket.bind":
            print("signalled", sent, flush=True)
            sent = -1
            return
        sent += 1
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGUSR1)
sys.addaudithook(hook)
from twisted.scripts.twistd import run
run()
"""


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
    """``--log-format``, ``--query-log=-``, and the file that ``--logfile`` names."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)
        self.folder.chmod(0o777)
        self.listen = "finger", "--listen=tcp:0:interface=127.0.0.1", USERS

    def test_json(self) -> None:
        """Every line of the log is JSON: the daemon's own, Twisted's, and the queries."""
        options = "--log-format=json", "--query-log=-", "--setter=tcp:0:interface=127.0.0.1"
        with Daemon("-n", "--pidfile=", *self.listen, *options) as daemon:
            exchange(daemon.port, b"moshez\r\n")
            daemon.set("moshez", "Busy")
            daemon.signal(signal.SIGTERM)
            daemon.ended()
        lines = [json.loads(line) for line in daemon.log if line]
        self.assertEqual([line["query"] for line in lines if "query" in line], ["moshez"])
        self.assertTrue(any("status of 'moshez'" in line.get("message", "") for line in lines))

    def test_signals(self) -> None:
        """SIGUSR1 and SIGHUP never end the daemon, whatever its logs are."""
        queries = f"--query-log={self.folder}/queries"
        for options in ((), ("--query-log=-",), (queries,)):
            with Daemon("-n", "--pidfile=", *self.listen, "--no-setter", *options) as daemon:
                for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR1):
                    daemon.signal(number)
                    self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and very well\r\n")
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.ended(), -signal.SIGTERM)

    def test_signalsAtTheStart(self) -> None:
        """
        Nor do they while it starts: from when its first code is loaded until its ports are open it
        gets them again and again, and then it answers.
        """
        pidfile = f"{self.folder}/pid"
        plugin = "-n", f"--pidfile={pidfile}", *self.listen, "--no-setter"
        # In a tac nothing of it may be there before the services are.
        tac = "-noy", str(ROOT / "finger.tac"), f"--pidfile={pidfile}"
        environment = {"FINGER_PORT": "0", "FINGER_SETTER_PORT": "0"}
        for first, arguments in (("fingerd.daemon.tap", plugin), (pidfile, tac)):
            command = sys.executable, "-c", _SIGNALLED, first
            with Daemon(*arguments, command=command, environment=environment) as daemon:
                daemon.says(r"signalled [1-9]")
                self.assertTrue(daemon.ask(b"moshez\r\n"))
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.ended(), -signal.SIGTERM)

    def test_tac(self) -> None:
        """The same goes for finger.tac."""
        environment = {"FINGER_PORT": "0", "FINGER_SETTER_PORT": "0"}
        tac = str(ROOT / "finger.tac")
        with Daemon("-noy", tac, "--pidfile=", environment=environment) as daemon:
            daemon.signal(signal.SIGUSR1)
            daemon.signal(signal.SIGHUP)
            self.assertTrue(daemon.ask(b"\r\n"))
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.ended(), -signal.SIGTERM)

    def test_settings(self) -> None:
        """
        Of what root sets for everyone the log has as many lines as any user may set in a minute,
        and at the stop, how many more there were.
        """
        setter = "--setter=tcp:0:interface=127.0.0.1"
        with Daemon("-n", "--pidfile=", *self.listen, setter, "--limit=userSettings=3") as daemon:
            for number in range(8):
                self.assertEqual(daemon.set("moshez", f"Busy {number}"), b"OK\r\n")
            daemon.signal(signal.SIGTERM)
            daemon.ended()
        lines = [line for line in daemon.log if "status of 'moshez' set by" in line]
        self.assertEqual(len(lines), 4)
        self.assertIn("5 more lines like this one: status of 'moshez' set by uid ", lines[-1])

    def test_twist(self) -> None:
        """The file that twist logs to is begun anew at the signal, too."""
        path = self.folder / "log"
        command = TWISTD.removesuffix("d"), f"--log-file={path}"
        daemon = Daemon(*self.listen, "--no-setter", command=command)
        self.addCleanup(daemon.__exit__)
        _waitFor(lambda: path.exists() and "finger on" in path.read_text())
        old = path.rename(self.folder / "old")
        daemon.signal(signal.SIGUSR1)
        _waitFor(path.exists)
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertIn("SIGTERM", path.read_text())
        self.assertNotIn("SIGTERM", old.read_text())


class RotationTests(SynchronousTestCase):
    """A daemon as the README starts it "for real": root's, until it becomes a lesser user."""

    def setUp(self) -> None:
        needsRoot()
        self.folder = temporaryFolder(self).resolve()
        self.folder.chmod(0o755)
        self.log = self.folder / "fingerd.log"
        self.queries = self.folder / "queries.log"
        self.pidfile = self.folder / "pid"

    def start(self) -> int:
        """Start the daemon, and give its port."""
        command = [
            TWISTD,
            f"--pidfile={self.pidfile}",
            f"--logfile={self.log}",
            "finger",
            "--user=nobody",
            "--listen=tcp:0:interface=127.0.0.1",
            f"--state={self.folder}/state",
            f"--query-log={self.queries}",
            "--setter=tcp:0:interface=127.0.0.1",
            USERS,
        ]
        done = subprocess.run(
            command, cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.addCleanup(self.stop)
        _waitFor(lambda: _PORT.search(self.log.read_text()))
        return int(_PORT.findall(self.log.read_text())[-1])

    def stop(self) -> None:
        """Stop it, if it runs."""
        pid = int(self.pidfile.read_text())
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        _waitFor(lambda: not Path(f"/proc/{pid}").exists())

    def logged(self, query: str) -> None:
        """Wait for a query's line."""
        _waitFor(lambda: query in self.queries.read_text())

    def rotate(self) -> None:
        """Run the real logrotate, with the configuration that comes along."""
        needs("logrotate")
        configuration = (ROOT / "etc" / "fingerd.logrotate").read_text()
        for old, new in (
            ("/var/log/fingerd.log", str(self.log)),
            ("/var/log/fingerd-query.log", str(self.queries)),
            ("/run/fingerd.pid", str(self.pidfile)),
            ("create 0640 fingerd adm", "create 0640 nobody adm"),
        ):
            self.assertIn(old, configuration)
            configuration = configuration.replace(old, new)
        (self.folder / "conf").write_text(configuration)
        subprocess.run(
            ["logrotate", "--force", "--state", self.folder / "state.rotate", self.folder / "conf"],
            check=True,
            timeout=PATIENCE,
        )

    def test_both(self) -> None:
        """logrotate moves both logs away, and the daemon goes on in new ones, as a lesser user."""
        port = self.start()
        for query in ("first", "second", "third"):
            exchange(port, f"{query}\r\n".encode())
            self.logged(query)
            self.rotate()
            os.kill(int(self.pidfile.read_text()), 0)
        exchange(port, b"last\r\n")
        self.stop()
        self.assertIn('"last"', self.queries.read_text())
        self.assertIn("SIGTERM", self.log.read_text())
        self.assertIn("nobody", (self.log.owner(), self.queries.owner()))
        older = self.folder / "fingerd.log.1"
        self.assertNotIn("SIGTERM", older.read_text())

    def test_stop(self) -> None:
        """
        Its stop is without a complaint about the pid file, which stays root's; the next start takes
        it away, also where another process has the old pid by then.
        """
        self.start()
        self.stop()
        self.assertNotIn("pid file", self.log.read_text())
        self.assertEqual(self.pidfile.owner(), "root")
        port = self.start()
        self.assertEqual(exchange(port, b"moshez\r\n"), b"Happy and very well\r\n")

    def test_pidOfAnother(self) -> None:
        """
        So it does where another process has the old pid by then, be it another twistd, or somebody
        else's that looks like the daemon; and where a full disk has left no pid in the file.
        """
        self.pidfile.write_text("")
        self.start()
        self.stop()
        own = f"--pidfile={self.pidfile}"
        for words, user in (
            (["sleep"], 0),
            (["twistd", f"{own}2"], 0),
            (["twistd", "--pidfile=", "finger"], 0),
            (["twistd", "finger"], 0),
            (["twistd", own], NOBODY - 1),
        ):
            with self.process(words, user) as process:
                self.pidfile.write_text(str(process.pid))
                self.start()
                self.stop()

    def test_pidOfOwn(self) -> None:
        """A process that was told to have its pid file there keeps it, however it was told."""
        for words in (
            [f"--pidfile={self.pidfile}"],
            ["-n", "--pidfile", str(self.pidfile), "finger"],
            ["--pidfile=other", "--pid=pid"],
            ["-y", "finger.tac"],
        ):
            self.pidfile = self.folder / ("pid" if words[0] != "-y" else "twistd.pid")
            for user in 0, NOBODY:
                with self.process(["/usr/bin/twistd", *words], user) as process:
                    self.pidfile.write_text(str(process.pid))
                    self.assertRaises(self.failureException, self.start)
                    self.assertEqual(self.pidfile.read_text(), str(process.pid))

    @contextmanager
    def process(self, words: Sequence[str], user: int) -> Iterator[subprocess.Popen[bytes]]:
        """A process with these words on its command line, until the block ends."""
        command = [words[0], "-c", "read end", *words[1:]]
        with subprocess.Popen(
            command, executable="/bin/sh", stdin=subprocess.PIPE, user=user, cwd=self.folder
        ) as process:
            yield process

    def test_running(self) -> None:
        """A daemon that runs keeps its pid file: another one with the same isn't started."""
        self.start()
        pid = self.pidfile.read_text()
        self.assertRaises(self.failureException, self.start)
        self.assertEqual(self.pidfile.read_text(), pid)


_PORT = re.compile(r"finger on 127\.0\.0\.1:(\d+)")


def _waitFor(condition: Callable[[], object]) -> None:
    for _ in range(PATIENCE * 100):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")
