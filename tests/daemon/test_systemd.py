"""The units in etc/, by systemd's own programs, and the daemon with a socket of theirs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import AS_NOBODY, ROOT, TWISTD, needs, run
from tests.support.network import Network
from tests.support.systemd import SERVICE, SOCKET, setting

INSTALLED = "/opt/fingerd/bin/fingerd"
FINGERD = str(Path(TWISTD).parent / "fingerd")
HAPPY = b"Happy and well\r\n"


class UnitTests(SynchronousTestCase):
    """What systemd says of the units."""

    def setUp(self) -> None:
        needs("systemd-analyze")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # It looks whether the program is there.
        for unit in (SERVICE, SOCKET):
            text = unit.read_text().replace(INSTALLED, FINGERD)
            (self.folder / unit.name).write_text(text)

    def test_verify(self) -> None:
        """systemd finds nothing wrong in them."""
        done = subprocess.run(
            ["systemd-analyze", "verify", *self.folder.iterdir()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.assertEqual((done.stdout, done.returncode), ("", 0))

    def test_security(self) -> None:
        """systemd rates what is left open to the daemon at 2.0 or better, of 10."""
        run(
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=20",
            str(self.folder / SERVICE.name),
        )


class SocketTests(SynchronousTestCase):
    """The daemon, with a port that another program has opened for it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o1777)
        self.folder = Path(folder.name)
        (self.folder / "users").write_text("moshez: Happy and well\n")

    def test_activation(self) -> None:
        """
        By the unit's own command, with the unit's own socket, a daemon without root answers on port
        79, over IPv4 and IPv6, and takes statuses: the first query starts it.
        """
        needs("systemd-socket-activate", "finger", "nc")
        command = setting(SERVICE, "ExecStart").replace(INSTALLED, FINGERD)
        for name, value in (
            ("${CONFIGURATION_DIRECTORY}", str(ROOT / "etc")),
            ("fingerd.toml", "fingerd.toml.example"),
            ("${RUNTIME_DIRECTORY}", str(self.folder)),
            ("${STATE_DIRECTORY}", f"{self.folder}/state"),
            ("$FINGERD_OPTIONS", f"--users={self.folder}/users"),
        ):
            self.assertIn(name, command)
            command = command.replace(name, value)
        with Network() as network:
            daemon = network.daemon(
                "systemd-socket-activate",
                f"--listen={setting(SOCKET, 'ListenStream')}",
                f"--fdname={setting(SOCKET, 'FileDescriptorName')}",
                *(f"--setenv={name}" for name in ("PATH", "PYTHONPATH") if name in os.environ),
                *AS_NOBODY,
                *command.split(),
            )
            self.addCleanup(daemon.__exit__)
            daemon.says("Listening on")
            self.assertIn(b"Happy and well", network.run("finger", "moshez@127.0.0.1"))
            with daemon:
                status = Path(f"/proc/{daemon.pid}/status").read_text()
                self.assertRegex(status, r"Uid:\t65534\t65534\t65534\t65534\n")
                self.assertEqual(network.run("nc", "-N", "::1", "79", stdin=b"moshez\n"), HAPPY)
                setter = network.run("nc", "127.0.0.1", "1079", stdin=b"moshez\nAt work\n")
                self.assertEqual(setter, b"OK\r\n")
                socket = ("nc", "-U", f"{self.folder}/set")
                self.assertEqual(network.run(*socket, stdin=b"moshez\nAt home\n"), b"OK\r\n")
                self.assertEqual(
                    network.run("nc", "-N", "::1", "79", stdin=b"moshez\n"), b"At home\r\n"
                )
                self.assertNotIn("now uid", "\n".join(daemon.log))
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.ended(), -signal.SIGTERM)

    def test_redirect(self) -> None:
        """With etc/fingerd.nft, port 79 leads to a daemon that has only ever listened on 7979."""
        needs("nft", "finger", "nc")
        with Network() as network:
            # Twice: it takes its own place.
            for _ in range(2):
                network.run("nft", "-f", str(ROOT / "etc" / "fingerd.nft"))
            with network.daemon(
                *AS_NOBODY,
                TWISTD,
                "-n",
                "--pidfile=",
                "finger",
                "--no-setter",
                f"--users={self.folder}/users",
            ) as daemon:
                self.assertRegex(daemon.startLine, ":7979")
                for host in ("127.0.0.1", "::1"):
                    answer = network.run("nc", "-N", host, "79", stdin=b"moshez\n")
                    self.assertEqual(answer, HAPPY)
                self.assertIn(b"Happy and well", network.run("finger", "moshez@127.0.0.1"))
            network.run("nft", "delete", "table", "inet", "fingerd")
            said = network.run("sh", "-c", "nc -N 127.0.0.1 79 2>&1 || echo refused")
            self.assertEqual(said, b"refused\n")


class DocumentTests(SynchronousTestCase):
    """docs/systemd.md, and what it speaks of."""

    def test_paths(self) -> None:
        """What the units run and read is what the document says to install."""
        document = (ROOT / "docs" / "systemd.md").read_text()
        self.assertTrue(setting(SERVICE, "ExecStart").startswith(INSTALLED))
        self.assertIn("/opt/fingerd/bin/pip install", document)
        for path in re.findall(r"\betc/fingerd[\w.]+\w", document):
            self.assertTrue((ROOT / path).exists(), path)
        self.assertIn(setting(SERVICE, "EnvironmentFile").removeprefix("-"), document)
