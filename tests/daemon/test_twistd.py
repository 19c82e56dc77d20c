"""The real daemon, under twistd."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from fingerd import __version__
from tests.support.daemon import AS_NOBODY, IS_ROOT, PATIENCE, TWISTD, Daemon, exchange, run
from tests.support.with_users import HAPPY, WithUsers


class PluginTests(WithUsers):
    """``twistd finger``."""

    fresh = True

    def test_answers(self) -> None:
        """It answers as the tac does, and takes statuses where it is told to."""
        with self.plugin("--setter=tcp:0:interface=127.0.0.1") as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            self.assertEqual(daemon.set("moshez", "Busy"), b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Busy\r\n")
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.ended(), -signal.SIGTERM)
            self.assertNotIn("Traceback", "\n".join(daemon.log))

    def test_noSetter(self) -> None:
        """Told so, it takes no statuses."""
        with self.plugin("--no-setter") as daemon:
            self.assertIn("; setter off; ", daemon.startLine)

    def test_severalEndpoints(self) -> None:
        """It can listen in several places."""
        with self.plugin("--listen=tcp:0", "--no-setter") as daemon:
            ports = [int(port) for port in re.findall(r"\d:(\d+)[,;]", daemon.startLine)]
            self.assertEqual(len(ports), 2)
            for port in ports:
                self.assertEqual(exchange(port, b"moshez\r\n"), HAPPY)

    def test_reload(self) -> None:
        """It looks for changes of the users file as often as it is told to."""
        with self.plugin("--no-setter", "--reload=0.1") as daemon:
            self.users.write_text("moshez:Changed\n")
            daemon.says("1 user$")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Changed\r\n")

    def test_hangup(self) -> None:
        """It looks for changes on SIGHUP."""
        with self.plugin("--no-setter") as daemon:
            self.users.write_text("moshez:Changed\n")
            daemon.signal(signal.SIGHUP)
            daemon.says("1 user$")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Changed\r\n")

    def test_twist(self) -> None:
        """It runs under twist as well as under twistd."""
        with Daemon(
            "finger",
            "--listen=tcp:0",
            "--no-setter",
            f"--users={self.users}",
            command=[str(Path(TWISTD).with_name("twist")), "--log-format=text"],
        ) as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")

    def test_help(self) -> None:
        """Asked for help, or for its version, twistd finger says it and ends."""
        self.assertIn(b"\n  --listen ENDPOINT  ", run(TWISTD, "finger", "--help"))
        for command in ("twistd finger", "fingerq", "fingerset"):
            program, *rest = command.split()
            said = run(str(Path(TWISTD).with_name(program)), *rest, "--version").decode()
            self.assertRegex(said, rf"^finger(d|q|set) {re.escape(__version__)}\b")

    def cannotStart(self, *arguments: str, **environment: str) -> str:
        """The one line that such a start ends with."""
        # --listen comes first here, since a later one adds to it.
        done = subprocess.run(
            [*(AS_NOBODY if IS_ROOT else ()), TWISTD, "-n", "--pidfile=", "finger", *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd="/",
            env={**os.environ, **environment},
            check=False,
        )
        self.assertEqual(done.returncode, 1, done)
        self.assertNotIn("Traceback", done.stdout + done.stderr)
        # Once twistd logs, standard error is a part of the log.
        return (done.stdout + done.stderr).splitlines()[-1]

    def cannotStartAny(self, starts: list[list[str]]) -> list[str]:
        """The one line that each of these starts ends with."""
        lines = []
        for arguments in starts:
            daemon = Daemon("-n", "--pidfile=", "finger", *arguments)
            self.addCleanup(daemon.__exit__)
            self.assertEqual(daemon.ended(), 1, (arguments, daemon.log))
            self.assertNotIn("Traceback", "\n".join(daemon.log))
            lines.append([line for line in daemon.log if line][-1])
        return lines

    def test_busyPort(self) -> None:
        """A port that another server has ends the start."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            endpoint = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            for option in ("--listen", "--setter"):
                line = self.cannotStart(
                    "--listen=tcp:0",
                    "--setter=tcp:0",
                    f"{option}={endpoint}",
                    f"--users={self.users}",
                    f"--state={self.folder}/state",
                )
                said = (
                    f"can't listen on {endpoint}: Address already in use; ss -ltnp says who has it"
                )
                self.assertTrue(line.endswith(said), line)

    def test_badOptions(self) -> None:
        """
        What makes no sense ends the start with a line that says what it was. What options alone
        can say of that is in L{tests.daemon.test_options}.
        """
        cases = (
            (["--listen=7979"], "--listen 7979: a port is written tcp:7979"),
            (["--listen=tcp:finger"], "--listen tcp:finger: 'finger' is not the number of a port"),
            (["--listen=tcp:0:interfac=::1"], "--listen tcp:0:interfac"),
            (["--listen=tcp:99999"], "can't listen on tcp:99999"),
            (["--listen=nonsense:1"], "--listen nonsense:1: there is no kind of port called 'non"),
            (["--listen=ssl:0"], "--listen ssl:0: /server.pem: No such file or directory"),
            (["--listen=tcp"], "--listen tcp: that is not how tcp: is written"),
            (["--listen=stdio:"], "standard input is no port"),
            (["--listen=systemd:domain=INET:index=0"], "systemd has passed no such socket"),
            (["--setter=tcp:"], "--setter tcp:"),
            (["--directory=nonsense"], "--directory nonsense: it needs a kind"),
            (["--directory=nonsense:x"], "no kind of directory called 'nonsense'"),
            (["--directory=toml:/none"], "--directory toml:/none: there is no such file"),
            (["--directory=toml:"], "--directory toml:: there is no file's path in it"),
            (["--forward=a b"], "--forward a b: "),
            (["--nonsense"], "nonsense"),
            (["moshez"], "'moshez'"),
            (["--user=moshez"], "only root can become the user 'moshez'"),
        )
        common = f"--users={self.users}", f"--state={self.folder}/state"
        starts = [
            [*([] if "--listen" in arguments[0] else ["--listen=tcp:0"]), *common, *arguments]
            for arguments, _ in cases
        ]
        for (_, words), line in zip(cases, self.cannotStartAny(starts), strict=True):
            self.assertIn(words, line)

    def test_badUsersFile(self) -> None:
        """A users file that can't be read ends the start."""
        for path, words in (
            (str(self.folder), "not a regular file"),
            ("/dev/zero", "not a regular file"),
        ):
            line = self.cannotStart("--listen=tcp:0", "--no-setter", f"--users={path}")
            self.assertTrue(line.endswith(f"can't read the users file {path}: {words}"), line)

    def test_daemonThatCannotStart(self) -> None:
        """In the background it tells the shell too, and leaves no pid file."""
        with (
            tempfile.TemporaryDirectory() as folder,
            socket.create_server(("127.0.0.1", 0)) as other,
        ):
            os.chmod(folder, 0o777)
            done = subprocess.run(
                [
                    *(AS_NOBODY if IS_ROOT else ()),
                    TWISTD,
                    "finger",
                    f"--listen=tcp:{other.getsockname()[1]}",
                    f"--users={self.users}",
                    "--no-setter",
                ],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            self.assertEqual(done.returncode, 1)
            port = other.getsockname()[1]
            self.assertEqual(
                done.stderr,
                f"twistd finger: --listen tcp:{port}: can't listen there: Address already in use; "
                "ss -ltnp says who has it\n",
            )
            self.assertFalse(os.path.exists(f"{folder}/twistd.pid"))

    def test_withoutTLS(self) -> None:
        """Where what TLS needs isn't installed, the start says how to install it."""
        without = self.folder / "without" / "OpenSSL"
        without.mkdir(parents=True)
        (without / "__init__.py").write_text("raise ImportError('no OpenSSL here')")
        for folder in (without.parent, self.folder):
            folder.chmod(0o755)
        for port in ("ssl:443", "tls:/etc/certificates:443"):
            line = self.cannotStart(
                f"--listen={port}", "--no-setter", PYTHONPATH=str(without.parent)
            )
            self.assertEqual(
                line,
                f"twistd finger: --listen {port}: it needs an extra: pip install 'fingerd[tls]'",
            )
