"""A daemon of several processes: how they are started, kept and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from twisted.trial.unittest import SynchronousTestCase

from fingerd.stores.database import NAME
from tests.daemon.test_stopping import Asking
from tests.support.daemon import AS_NOBODY, IS_ROOT, NOBODY, PATIENCE, TWISTD, exchange, needsRoot
from tests.support.ports import temporaryFolder
from tests.support.systemd import Listener
from tests.support.workers import Watched, WorkersDaemon, status

ANSWER = b"Happy and well\r\n"
# Clients that come one after the other, from one address.
MANY = ("--limit=peerQueries=1000000", "--limit=peerConnections=1000")


class WorkersCase(SynchronousTestCase):
    """A folder with users."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)
        self.folder.chmod(0o777)
        self.users = self.folder / "users"
        self.users.write_text("moshez:Happy and well\n")

    def daemon(self, *options: str, workers: int = 2, asRoot: bool = False) -> WorkersDaemon:
        """A daemon that knows these users."""
        return WorkersDaemon(f"--users={self.users}", *options, workers=workers, asRoot=asRoot)


class KeepingTests(WorkersCase):
    """Workers that are killed, and such as can't be started."""

    def test_one(self) -> None:
        """With one worker, as there is unless more are asked for, there is no other process."""
        with self.daemon(workers=1) as daemon:
            self.assertEqual(daemon.workers(), [])
            self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)

    def test_killed(self) -> None:
        """
        A worker that is killed is replaced, which the log says in one line, and all the while there
        is somebody who answers, at ports of every kind.
        """
        path = str(self.folder / "finger")
        with self.daemon(f"--listen=unix:{path}") as daemon:
            first, second = daemon.workers()
            for victim in (first, second):
                watched = Watched(victim)
                watched.kill()
                self.assertTrue(watched.over())
                self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)
                self.assertEqual(_askUNIX(path), ANSWER)
                daemon.says(rf"the worker with pid {victim} has ended \(killed by SIGKILL\)")
            self.assertNotIn(first, daemon.workers())
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.ended(), -signal.SIGTERM)
        self.assertEqual(len([line for line in daemon.log if "has ended" in line]), 2)
        self.assertEqual([line for line in daemon.log if "Traceback" in line], [])
        self.assertFalse(os.path.exists(path))

    def test_orphans(self) -> None:
        """Workers whose parent is killed end too, and the port is free for the next daemon."""
        with self.daemon() as daemon:
            workers = Watched(*daemon.workers())
            Watched(daemon.pid).kill()
            self.assertTrue(workers.over())
            with socket.socket() as another:
                another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                another.bind(("127.0.0.1", daemon.port))
                another.listen()

    def test_hanging(self) -> None:
        """A worker that hangs is ended and replaced."""
        with self.daemon("--limit=workerSilence=1.5") as daemon:
            hanging = daemon.workers()[0]
            watched = Watched(hanging)
            os.kill(hanging, signal.SIGSTOP)
            daemon.says(rf"the worker with pid {hanging} has said nothing for \d+ seconds")
            self.assertTrue(watched.over())
            daemon.says(rf"the worker with pid {hanging} has ended")
            self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)

    @pytest.mark.slow
    def test_hangingAtItsStart(self) -> None:
        """So is one that hangs before it has ever answered, and the roll goes on without it."""
        with self.daemon("--limit=workerSilence=1.5") as daemon:
            before = set(daemon.workers())
            daemon.signal(signal.SIGUSR2)
            while not (new := set(daemon.workers()) - before):
                pass
            hanging = new.pop()
            watched = Watched(hanging)
            os.kill(hanging, signal.SIGSTOP)
            daemon.says(rf"the worker with pid {hanging} has said nothing for 1\d seconds")
            self.assertTrue(watched.over())
            daemon.says("a new worker can't be started: the others go on as they are")
            self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)
            daemon.signal(signal.SIGUSR2)
            daemon.says("all workers are new")

    def test_cannotStart(self) -> None:
        """A daemon whose workers can't start doesn't either, and says why."""
        state = Path(self.folder, "damaged")
        state.mkdir()
        (state / NAME).write_bytes(b"garbage" * 1000)
        if IS_ROOT:
            os.chown(state, NOBODY, NOBODY)
            os.chown(state / NAME, NOBODY, NOBODY)
        daemon = WorkersDaemon(f"--state={state}")
        self.addCleanup(daemon.__exit__)
        self.assertEqual(daemon.ended(), 1)
        daemon.says("are damaged")

    def test_taken(self) -> None:
        """A port that is taken ends the start in one line, before there are workers."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            daemon = WorkersDaemon(f"--listen=tcp:{port}:interface=127.0.0.1")
            self.addCleanup(daemon.__exit__)
            self.assertEqual(daemon.ended(), 1)
        daemon.says("can't listen on")
        self.assertEqual(len([line for line in daemon.log if "starting up" in line]), 1)


class StatusTests(WorkersCase):
    """Statuses that are set through one worker."""

    def options(self) -> tuple[str, ...]:
        """A setter where anyone may set anything, and users."""
        self.users.write_text("".join(f"user{number}:\n" for number in range(8)))
        # Whatever shows at all shows because a worker was told.
        return (
            "--setter=tcp:0:interface=127.0.0.1",
            "--set-policy=anyone",
            "--limit=statusesRefresh=3600",
            # As long as a busy machine takes.
            "--limit=statusesShown=60",
            *MANY,
        )

    def test_shown(self) -> None:
        """
        Who has read OK sees the status, whichever worker answers, by its name and in the list,
        while others set theirs.
        """
        wrong: list[tuple[bytes, bytes]] = []

        def setAndAsk(number: int) -> None:
            for turn in range(10):
                text = f"status {turn} of {number}".encode()
                answers = [daemon.set(f"user{number}", text.decode())]
                answers += [daemon.ask(f"user{number}\r\n".encode()) for _ in range(5)]
                wrong.extend((text, each) for each in answers[1:] if each != text + b"\r\n")
                if number == 0 and text not in (listed := daemon.ask(b"\r\n")):
                    wrong.append((text, listed))

        with self.daemon(*self.options(), workers=3) as daemon:
            threads = [Thread(target=setAndAsk, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])
            # One that was not there then has read them.
            first = daemon.workers()[0]
            Watched(first).kill()
            daemon.says(rf"the worker with pid {first} has ended")
            self.assertEqual(daemon.set("user1", "last"), b"OK\r\n")
            for _ in range(10):
                self.assertEqual(daemon.ask(b"user1\r\n"), b"last\r\n")

    def test_late(self) -> None:
        """A worker that doesn't look in time holds nobody up for longer, and the log says so."""
        options = [each for each in self.options() if "statusesShown" not in each]
        with self.daemon(*options) as daemon:
            hanging = daemon.workers()[0]
            os.kill(hanging, signal.SIGSTOP)
            self.assertEqual(daemon.set("user1", "late"), b"OK\r\n")
            daemon.says("doesn't show in all workers after 0.1 seconds")
            os.kill(hanging, signal.SIGCONT)


class StoppingTests(WorkersCase):
    """SIGTERM, while clients come one after the other."""

    def check(self, wait: float, listen: str = "", address: str = "") -> None:
        """All who got in are answered, and all processes end."""
        limits = (*MANY, "--limit=stopSilence=30", "--limit=stopTime=40")
        options = (f"--listen={listen}",) if listen else ()
        with self.daemon(*options, *limits) as daemon:
            workers = Watched(*daemon.workers())
            asking = Asking(address or ("127.0.0.1", daemon.port), wait)
            asking.asking.wait(PATIENCE)
            daemon.signal(signal.SIGTERM)
            got = asking.end()
            self.assertEqual(daemon.ended(), -signal.SIGTERM)
            self.assertTrue(workers.over())
        self.assertEqual(list(got), ["answered"], got)

    def test_atOnce(self) -> None:
        """Clients that ask as soon as they have connected."""
        self.check(0)

    def test_later(self) -> None:
        """Clients that ask some time after that, as over a network."""
        self.check(0.02)

    def test_unix(self) -> None:
        """Clients of a socket."""
        path = str(self.folder / "finger")
        self.check(0, f"unix:{path}", path)


class SystemdTests(WorkersCase):
    """What systemd is told, and what it passes."""

    def test_told(self) -> None:
        """systemd has to do with one daemon: one is ready, reloads and stops."""
        systemd = Listener()
        self.addCleanup(systemd.close)
        environment = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "60000000"}
        with WorkersDaemon(f"--users={self.users}", environment=environment) as daemon:
            said = [systemd.hears(), systemd.hears()]
            self.assertEqual([each.get("READY", each.get("WATCHDOG")) for each in said], ["1", "1"])
            self.users.write_text("moshez:Happy and very well\n")
            self.users.touch()
            os.utime(self.users, (1, 1))
            daemon.signal(signal.SIGHUP)
            self.assertEqual(systemd.hears()["RELOADING"], "1")
            self.assertEqual(systemd.hears()["READY"], "1")
            for _ in range(20):
                self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and very well\r\n")
            daemon.signal(signal.SIGTERM)
            daemon.ended()
            self.assertEqual(systemd.heard(), [{"STOPPING": "1"}])

    def test_socket(self) -> None:
        """All workers accept clients at a socket of systemd's, and it stays open behind them."""
        with socket.socket() as port:
            port.bind(("127.0.0.1", 0))
            port.listen(100)
            number = port.getsockname()[1]
            daemon = subprocess.Popen(
                _activated("--no-setter", "--workers=2", f"--users={self.users}"),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(port.fileno(),),
                env={**os.environ, "FD": str(port.fileno())},
            )
            try:
                for _ in range(20):
                    self.assertEqual(exchange(number, b"moshez\r\n"), ANSWER)
            finally:
                daemon.terminate()
                log, _ = daemon.communicate(timeout=PATIENCE)
            self.assertEqual(daemon.returncode, -signal.SIGTERM, log)
            socket.create_connection(("127.0.0.1", number), PATIENCE).close()


class RootTests(WorkersCase):
    """Started by root."""

    def setUp(self) -> None:
        needsRoot()
        super().setUp()

    def test_lesser(self) -> None:
        """
        All processes are the lesser user's. No worker has a right of root's left, and their parent
        has but the one to read files, so that it can replace them: they read what root alone may.
        """
        self.users.chmod(0o600)
        with self.daemon("--user=nobody", asRoot=True) as daemon:
            for pid in (daemon.pid, *daemon.workers()):
                self.assertEqual(status(pid, "Uid"), [str(NOBODY)] * 4)
                self.assertEqual(status(pid, "Groups"), [str(NOBODY)])
            for pid in daemon.workers():
                for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                    self.assertEqual(int(status(pid, name)[0], 16), 0)
            self.assertEqual(int(status(daemon.pid, "CapPrm")[0], 16) & ~4, 0)
            first = daemon.workers()[0]
            Watched(first).kill()
            daemon.says(rf"the worker with pid {first} has ended")
            for _ in range(20):
                self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)


def _activated(*options: str) -> list[str]:
    """A daemon that systemd passes a socket to: the one in FD."""
    prefix = list(AS_NOBODY) if IS_ROOT else []
    code = (
        "import os, sys; os.dup2(int(os.environ['FD']), 3); "
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='finger'); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    twistd = [TWISTD, "-n", "--pidfile=", "finger", "--listen=systemd:domain=INET:name=finger"]
    return [*prefix, sys.executable, "-c", code, *twistd, *options]


def _askUNIX(path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(path)
        client.sendall(b"moshez\r\n")
        answer = b""
        while received := client.recv(100):
            answer += received
        return answer
