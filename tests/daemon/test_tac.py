"""The real daemon, by its tac."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from tests.support.daemon import IS_ROOT, PATIENCE, ROOT, Daemon, exchange, needs, run
from tests.support.with_users import TAC, WithUsers, identity


class TacTests(WithUsers):
    """``twistd -noy finger.tac``."""

    def test_answers(self) -> None:
        """It answers for its users, over IPv4 and IPv6."""
        with self.tac() as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family) as client:
                    client.connect((host, daemon.port))
                    client.sendall(b"radix\n")
                    self.assertEqual(client.recv(100), b"Writing\r\na web server\r\n")

    def test_startLine(self) -> None:
        """One line says where it listens, how many users it has, and how to ask it."""
        with self.tac() as daemon:
            self.assertEqual(daemon.users, "2 users")
            self.assertRegex(daemon.startLine, r"^finger on \[::\]:\d+; setter on 127.0.0.1:\d+; ")
            self.assertEqual(daemon.example, f"echo moshez | nc localhost {daemon.port}")
            needs("nc")
            self.assertEqual(run("sh", "-c", daemon.example), b"Happy and well\r\n")

    def test_lesserUser(self) -> None:
        """Started by anyone but root it stays who it is."""
        with self.tac() as daemon:
            uid = 65534 if IS_ROOT else os.getuid()
            self.assertEqual(identity(daemon)["Uid"], [uid] * 4)

    def test_defaultUsers(self) -> None:
        """Without a users file of the system it serves the example beside it."""
        if os.path.exists("/etc/users"):
            raise AssertionError("this machine has an /etc/users: the test is of one that hasn't")
        environment = {**self.environment, "FINGER_USERS": ""}
        with Daemon("-noy", TAC, "--pidfile=", environment=environment) as daemon:
            self.assertEqual(daemon.users, "6 users")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and very well\r\n")

    def test_relativePath(self) -> None:
        """It can be run from where it is, by its name alone."""
        with Daemon(
            "-noy", "finger.tac", "--pidfile=", environment=self.environment, cwd=ROOT
        ) as daemon:
            self.assertIn(b"moshez", daemon.ask(b"\r\n"))

    def test_set(self) -> None:
        """A status set on the same machine shows at once, and survives a reload."""
        with self.tac() as daemon:
            self.assertEqual(daemon.set("moshez", "Busy"), b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Busy\r\n")
            self.users.write_text("moshez:Happy\nradix:Reading\nglyph:New\n")
            daemon.signal(signal.SIGHUP)
            daemon.says("3 users$")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Busy\r\n")
            self.assertEqual(daemon.ask(b"radix\r\n"), b"Reading\r\n")
            self.assertEqual(daemon.set("moshez", ""), b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy\r\n")

    def test_hangupWithoutFile(self) -> None:
        """When the users file is gone the old users stay, which is said once."""
        with self.tac() as daemon:
            self.users.unlink()
            for _ in range(3):
                daemon.signal(signal.SIGHUP)
                daemon.says("No such file or directory.*the users read before .2. stay")
                self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            daemon.signal(signal.SIGTERM)
            daemon.ended()
            self.assertEqual(sum("users read before" in line for line in daemon.log), 1)

    def test_stop(self) -> None:
        """On SIGTERM it stops without a word of complaint."""
        with self.tac() as daemon:
            daemon.ask(b"moshez\r\n")
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.ended(), -signal.SIGTERM)
            self.assertNotIn("Traceback", "\n".join(daemon.log))
            self.assertIn("Server Shut Down", "\n".join(daemon.log))

    def test_answerInFlight(self) -> None:
        """On SIGTERM the port closes first, then the answers in flight are finished."""
        slow = self.folder / "slow.tac"
        slow.write_text(
            Path(TAC)
            .read_text()
            .replace("os.path.dirname(os.path.abspath(__file__))", repr(str(ROOT)))
            .replace(
                "finger = FingerService(reactor, [UsersFile(USERS, reactor)]",
                "from twisted.internet import defer, task\n"
                "from fingerd.model.user import User\n"
                "class Slow:\n"
                "    def getUser(self, login):\n"
                "        print('asked for', login)\n"
                "        return task.deferLater(reactor, 1, User, login, status='Slow')\n"
                "    def getUsers(self, limit):\n"
                "        return defer.succeed([])\n"
                "finger = FingerService(reactor, [Slow()]",
            )
        )
        with (
            Daemon("-noy", str(slow), "--pidfile=", environment=self.environment) as daemon,
            socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as client,
        ):
            client.sendall(b"moshez\r\n")
            daemon.says("asked for moshez")
            daemon.signal(signal.SIGTERM)
            daemon.says(f"TCP Port {daemon.port} Closed")
            with self.assertRaises(ConnectionError):
                exchange(daemon.port, b"moshez\r\n")
            # A hangup that comes late doesn't cost the answer.
            daemon.signal(signal.SIGHUP)
            self.assertEqual(client.recv(100), b"Slow\r\n")
            client.close()
            self.assertEqual(daemon.ended(), -signal.SIGTERM)
            self.assertNotIn("Traceback", "\n".join(daemon.log))

    def test_badPort(self) -> None:
        """A port that is no number ends the start with a line that says so."""
        daemon = self.tac(FINGER_PORT="seventy-nine")
        self.addCleanup(daemon.__exit__)
        self.assertEqual(daemon.ended(), 1)
        daemon.says("Failed to load application: .*'seventy-nine'")
