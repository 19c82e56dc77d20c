"""Tests for L{fingerd.system.systemd}."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from fingerd.system.systemd import Notifier
from tests.support.daemon import PATIENCE, ROOT, Daemon, exchange, needsRoot
from tests.support.systemd import Listener

READY = {"READY": "1", "STATUS": "finger on 79"}


class NotifierTests(SynchronousTestCase):
    """A notifier, with a clock of the test's and a socket as systemd's."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.systemd = self.listener()

    def listener(self, abstract: bool = False) -> Listener:
        """What hears the notifier."""
        listener = Listener(abstract)
        self.addCleanup(listener.close)
        return listener

    def started(self, **environment: str) -> Notifier:
        """One that has been started, for which the reactor has not begun to run."""
        environment.setdefault("NOTIFY_SOCKET", self.systemd.address)
        notifier = Notifier(self.clock, environment, lambda: "finger on\n79")
        notifier.startService()
        self.addCleanup(notifier.stopService)
        return notifier

    def test_ready(self) -> None:
        """A daemon is ready when its reactor runs, not before."""
        self.started()
        self.assertEqual(self.systemd.heard(), [])
        self.clock.advance(0)
        self.assertEqual(self.systemd.heard(), [READY])

    def test_abstract(self) -> None:
        """systemd may have an address that is in no folder."""
        self.systemd = self.listener(abstract=True)
        self.started()
        self.clock.advance(0)
        self.assertEqual(self.systemd.heard(), [READY])

    def test_nobodyToTell(self) -> None:
        """Without systemd nothing is sent, opened or waited for."""
        for environment in ({"WATCHDOG_USEC": "2000000"}, {"NOTIFY_SOCKET": ""}):
            notifier = Notifier(self.clock, environment)
            before = os.listdir("/proc/self/fd")
            notifier.startService()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(os.listdir("/proc/self/fd"), before)
            self.successResultOf(notifier.reloading(lambda: succeed(None))())
            notifier.stopService()

    def test_stop(self) -> None:
        """A stop is said at once, and nothing after it."""
        notifier = self.started(WATCHDOG_USEC="2000000")
        self.clock.advance(0)
        self.systemd.heard()
        done: Deferred[None] = Deferred()
        notifier.reloading(lambda: done)()
        self.systemd.heard()
        notifier.stopService()
        done.callback(None)
        self.clock.advance(10)
        self.assertEqual(self.systemd.heard(), [{"STOPPING": "1"}])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopBeforeReady(self) -> None:
        """A daemon that is stopped while it starts never says that it is ready."""
        self.started().stopService()
        self.clock.advance(10)
        self.assertEqual(self.systemd.heard(), [{"STOPPING": "1"}])

    def test_watchdog(self) -> None:
        """systemd hears twice in its time that the reactor turns."""
        self.started(WATCHDOG_USEC="2000000", WATCHDOG_PID=str(os.getpid()))
        self.clock.advance(0)
        self.assertEqual(self.systemd.heard(), [READY, {"WATCHDOG": "1"}])
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.systemd.heard(), [{"WATCHDOG": "1"}] * 3)

    def test_noWatchdog(self) -> None:
        """Where systemd watches another process, or nobody, nothing is said to that."""
        for environment in (
            {"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"},
            {"WATCHDOG_USEC": "0"},
            {"WATCHDOG_USEC": "soon"},
            {},
        ):
            self.started(**environment)
            self.clock.advance(0)
            self.assertEqual(self.systemd.heard(), [READY])
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reload(self) -> None:
        """A reload is said when it begins, with the time, and when it is over."""
        notifier = self.started()
        self.clock.advance(0)
        self.systemd.heard()
        done: Deferred[None] = Deferred()
        before = time.monotonic_ns() // 1000
        result = notifier.reloading(lambda: done)()
        [said] = self.systemd.heard()
        self.assertEqual(said.pop("RELOADING"), "1")
        self.assertTrue(before <= int(said.pop("MONOTONIC_USEC")) <= time.monotonic_ns() // 1000)
        self.assertEqual(said, {})
        done.callback(None)
        self.assertEqual(self.systemd.heard(), [READY])
        self.successResultOf(result)

    def test_reloadFails(self) -> None:
        """A reload that fails is over too, and its failure is for who asked for it."""
        notifier = self.started()
        self.clock.advance(0)
        self.systemd.heard()

        def reload() -> Deferred[None]:
            raise ValueError

        self.failureResultOf(notifier.reloading(reload)(), ValueError)
        self.assertEqual(self.systemd.heard()[1:], [READY])

    def test_severalReloads(self) -> None:
        """Of reloads that overlap, the daemon is ready after the last."""
        notifier = self.started()
        self.clock.advance(0)
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        notifier.reloading(lambda: first)()
        notifier.reloading(lambda: second)()
        self.systemd.heard()
        second.callback(None)
        self.assertEqual(self.systemd.heard(), [])
        first.callback(None)
        self.assertEqual(self.systemd.heard(), [READY])

    def test_reloadBeforeReady(self) -> None:
        """A daemon that reloads while it starts is not ready before it has started."""
        notifier = self.started()
        done: Deferred[None] = Deferred()
        notifier.reloading(lambda: done)()
        done.callback(None)
        self.assertEqual(self.systemd.heard(), [])

    def test_gone(self) -> None:
        """When systemd can't be told, the log says so once, and nothing else happens."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        address = f"{self.systemd.address}.none"
        notifier = self.started(NOTIFY_SOCKET=address, WATCHDOG_USEC="2000000")
        self.clock.pump([0.0, 1.0, 1.0])
        notifier.stopService()
        [event] = [
            e for e in events if e.get("log_namespace", "").startswith("fingerd.system.systemd")
        ]
        self.assertEqual(event["reason"], "No such file or directory")
        self.assertEqual(event["address"], address.encode())

    def test_fullQueue(self) -> None:
        """A systemd that reads nothing holds up nobody."""
        self.started(WATCHDOG_USEC="2000")
        self.clock.pump([0.001] * 2000)


class DaemonTests(SynchronousTestCase):
    """The real daemon, told as by systemd where to say how it is."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        self.folder = Path(folder.name)
        self.users = self.folder / "users"
        self.write("moshez: Happy and well\n")

    def write(self, text: str) -> None:
        """Write the users file, some time ago."""
        self.users.write_text(text)
        os.utime(self.users, (time.time() - 60, time.time() - 60))

    def listener(self) -> Listener:
        """What hears a daemon."""
        listener = Listener()
        self.addCleanup(listener.close)
        return listener

    def daemon(
        self,
        systemd: Listener,
        *more: str,
        asRoot: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Daemon:
        """A daemon whose start nothing has waited for yet."""
        daemon = Daemon(
            "-n",
            "--pidfile=",
            "finger",
            "--listen=tcp:0:interface=127.0.0.1",
            "--no-setter",
            f"--users={self.users}",
            *more,
            environment={"NOTIFY_SOCKET": systemd.address, **(environment or {})},
            asRoot=asRoot,
        )
        self.addCleanup(daemon.__exit__)
        return daemon

    def test_ready(self) -> None:
        """As soon as it says that it is ready, it answers at the address it names."""
        systemd = self.listener()
        daemon = self.daemon(systemd)
        ready = systemd.hears()
        self.assertEqual(ready["READY"], "1")
        where, _, port = ready["STATUS"].rpartition(":")
        self.assertEqual(where, "finger on 127.0.0.1")
        self.assertEqual(exchange(int(port), b"moshez\n"), b"Happy and well\r\n")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(systemd.hears(), {"STOPPING": "1"})
        daemon.ended()
        self.assertEqual(systemd.heard(), [])

    def test_reload(self) -> None:
        """On SIGHUP it reloads, and is ready again when the new users are there."""
        systemd = self.listener()
        with self.daemon(systemd) as daemon:
            self.assertIn("READY", systemd.hears())
            self.write("moshez: Happy and very well\n")
            daemon.signal(signal.SIGHUP)
            said = systemd.hears()
            self.assertEqual(said["RELOADING"], "1")
            self.assertLessEqual(int(said["MONOTONIC_USEC"]), time.monotonic_ns() // 1000)
            self.assertEqual(systemd.hears()["READY"], "1")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and very well\r\n")

    def test_stop(self) -> None:
        """It says that it stops while it still answers who is connected."""
        systemd = self.listener()
        with self.daemon(systemd) as daemon:
            self.assertIn("READY", systemd.hears())
            with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as client:
                # The daemon has this one too when it has answered the next.
                self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
                client.sendall(b"mos")
                daemon.signal(signal.SIGTERM)
                self.assertEqual(systemd.hears(), {"STOPPING": "1"})
                client.sendall(b"hez\n")
                self.assertEqual(client.recv(100), b"Happy and well\r\n")
            self.assertEqual(daemon.ended(), -signal.SIGTERM)

    def test_lesserUser(self) -> None:
        """Started by root, it is heard after it has become another user."""
        needsRoot()
        systemd = self.listener()
        with self.daemon(systemd, "--user=nobody", asRoot=True) as daemon:
            self.assertIn("READY", systemd.hears())
            self.assertIn("Uid:\t65534", Path(f"/proc/{daemon.pid}/status").read_text())
            daemon.signal(signal.SIGHUP)
            self.assertIn("RELOADING", systemd.hears())
            self.assertIn("READY", systemd.hears())

    def test_watchdog(self) -> None:
        """It says that its reactor turns, and says nothing while it hangs."""
        lock = self.folder / "lock"
        os.mkfifo(lock)
        tac = self.folder / "hangs.tac"
        tac.write_text(
            "import os, sys, time\n"
            f"sys.path.insert(0, {str(ROOT)!r})\n"
            "from twisted.application import internet, service\n"
            "from twisted.internet import defer, reactor\n"
            "from fingerd.daemon.upkeep import Upkeep\n"
            "from fingerd.service import FingerService\n"
            "from fingerd.stores.memory import MemoryStore\n"
            "class Hangs:\n"
            "    def getUser(self, login):\n"
            f"        return defer.succeed(open({str(lock)!r}).read() and None)\n"
            "    def getUsers(self, limit):\n"
            "        return defer.succeed([])\n"
            "finger = FingerService(reactor, [Hangs()], MemoryStore(time.time))\n"
            "port = internet.TCPServer(0, finger.getFingerFactory(), interface='127.0.0.1')\n"
            "application = service.Application('finger')\n"
            "for part in (finger, port):\n"
            "    part.setServiceParent(application)\n"
            "Upkeep.of(application, finger, reactor).setServiceParent(application)\n"
        )
        systemd, other = self.listener(), self.listener()
        usec = {"WATCHDOG_USEC": "100000"}
        with (
            self.daemon(other, environment=usec),
            Daemon(
                "--pidfile=",
                "-noy",
                str(tac),
                environment={"NOTIFY_SOCKET": systemd.address, **usec},
                cwd=self.folder,
            ) as daemon,
            socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as client,
        ):
            self.assertIn("READY", systemd.hears())
            self.assertEqual([systemd.hears() for _ in range(3)], [{"WATCHDOG": "1"}] * 3)
            client.sendall(b"moshez\n")
            # It goes on here when the daemon waits there.
            with open(lock, "w") as held:
                systemd.heard()
                other.heard()
                # The time of three that it should have said, by a daemon that doesn't hang.
                for _ in range(3):
                    self.assertEqual(other.hears(), {"WATCHDOG": "1"})
                self.assertEqual(systemd.heard(), [])
                held.write("go on")
            self.assertEqual(systemd.hears(), {"WATCHDOG": "1"})
            self.assertEqual(client.recv(100), b"No such user\r\n")
