"""The real daemon, under twistd, and the real clients."""

from __future__ import annotations

import os
import pwd
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fingerd import __version__
from tests.support.certificates import selfSigned
from tests.support.daemon import (
    AS_NOBODY,
    IS_ROOT,
    PATIENCE,
    ROOT,
    TWISTD,
    Daemon,
    exchange,
    needs,
    needsRoot,
    run,
)
from tests.support.network import Network

TAC = str(ROOT / "finger.tac")
HAPPY = b"Happy and well\r\n"
# Ports of the system's choice.
FREE = {"FINGER_PORT": "0", "FINGER_SETTER_PORT": "0"}


class WithUsers(SynchronousTestCase):
    """A test with a users file that the lesser user can read."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # For the state directories of daemons that are not root's.
        self.folder.chmod(0o1777)
        self.users = self.folder / "users"
        self.users.write_text("moshez:Happy and well\nradix:Writing\n  a web server\n")
        self.environment = {
            **FREE,
            "FINGER_USERS": str(self.users),
            "FINGER_STATE": f"{self.folder}/state",
        }

    def tac(self, asRoot: bool = False, inside: Sequence[str] = (), **environment: str) -> Daemon:
        """The tac on free ports, with these users; ``inside`` is put before its command."""
        return Daemon(
            "-noy",
            TAC,
            "--pidfile=",
            environment={**self.environment, **environment},
            command=[*inside, TWISTD],
            asRoot=asRoot,
        )

    def plugin(self, *arguments: str, asRoot: bool = False, inside: Sequence[str] = ()) -> Daemon:
        """The plugin on free ports, with these users; ``inside`` is put before its command."""
        return Daemon(
            "-n",
            "--pidfile=",
            "finger",
            "--listen=tcp:0:interface=127.0.0.1",
            f"--users={self.users}",
            f"--state={self.folder}/state",
            *arguments,
            command=[*inside, TWISTD],
            asRoot=asRoot,
        )


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


class PluginTests(WithUsers):
    """``twistd finger``."""

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
        users = f"--users={self.users}"
        for arguments, words in (
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
        ):
            listen = [] if "--listen" in arguments[0] else ["--listen=tcp:0"]
            state = f"--state={self.folder}/state"
            self.assertIn(words, self.cannotStart(*listen, users, state, *arguments))

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


class EndpointTests(WithUsers):
    """Every kind of endpoint that an administrator may name."""

    def listening(self, *endpoints: str, **environment: str) -> Daemon:
        """A daemon that takes queries there and nowhere else."""
        return Daemon(
            "-n",
            "--pidfile=",
            "finger",
            *(f"--listen={endpoint}" for endpoint in endpoints),
            f"--users={self.users}",
            "--no-setter",
            environment=environment,
        )

    def test_tcp6(self) -> None:
        """tcp6: takes IPv6 clients, and IPv4 ones too where the system does."""
        with self.listening("tcp6:0") as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")

    def test_unix(self) -> None:
        """unix: takes clients on a socket, and the start line says how to ask there."""
        os.chmod(self.folder, 0o777)
        with self.listening(f"unix:{self.folder}/finger") as daemon:
            self.assertEqual(daemon.example, f"echo moshez | nc -U {self.folder}/finger")
            needs("nc")
            self.assertEqual(run("sh", "-c", daemon.example), b"Happy and well\r\n")

    def test_ssl(self) -> None:
        """ssl: answers over TLS, also with bytes after the line."""
        certificate = self.folder / "server.pem"
        certificate.write_bytes(selfSigned())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificate)
        with self.listening(f"ssl:0:privateKey={certificate}:interface=127.0.0.1") as daemon:
            for query in (b"moshez\r\n", b"moshez\r\nmore\r\n", b"radix\n"):
                with (
                    socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain,
                    context.wrap_socket(plain, server_hostname="localhost") as client,
                ):
                    client.sendall(query)
                    answer = b""
                    while received := client.recv(1000):
                        answer += received
                expected = b"Writing\r\na web server\r\n" if b"radix" in query else HAPPY
                self.assertEqual(answer, expected)
            self.assertNotIn("Traceback", "\n".join(daemon.log))

    def test_tls(self) -> None:
        """tls: takes its certificates from a folder."""
        (self.folder / "localhost.pem").write_bytes(selfSigned())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.folder / "localhost.pem")
        with (
            self.listening(f"tls:{self.folder}:0:interface=127.0.0.1") as daemon,
            socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(b"moshez\r\n")
            self.assertEqual(client.recv(1000), HAPPY)

    def test_systemd(self) -> None:
        """systemd: takes over the socket that systemd has opened."""
        with socket.create_server(("127.0.0.1", 0)) as opened:
            arguments = ["finger", "--listen=systemd:domain=INET:index=0", "--no-setter"]
            with Daemon(
                "-c",
                f'exec 3<&{opened.fileno()}; export LISTEN_PID=$$; exec "$@"',
                "bash",
                TWISTD,
                "-n",
                "--pidfile=",
                *arguments,
                f"--users={self.users}",
                command=["bash"],
                environment={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "finger.socket"},
                passing=[opened.fileno()],
            ) as daemon:
                self.assertEqual(daemon.port, opened.getsockname()[1])
                self.assertEqual(daemon.ask(b"moshez\r\n"), HAPPY)


def identity(daemon: Daemon) -> dict[str, list[int]]:
    """The users and groups that the kernel says a daemon has."""
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: list(map(int, fields[name].split())) for name in ("Uid", "Gid", "Groups")}


# Says what a lesser user imports: it may not be able to.
_AUDITED = """
import os, sys
def hook(event, arguments):
    if event == "import" and os.geteuid() != 0:
        print("imported late:", arguments[0], flush=True)
sys.addaudithook(hook)
from twisted.scripts.twistd import run
run()
"""


class RootTests(WithUsers):
    """What root's daemon does."""

    def setUp(self) -> None:
        needsRoot()
        super().setUp()

    def test_tac(self) -> None:
        """The tac answers on port 79 and runs as nobody, with nobody's groups."""
        needs("nc")
        with (
            Network() as network,
            self.tac(asRoot=True, inside=network.inside, FINGER_PORT="") as daemon,
        ):
            self.assertEqual(daemon.port, 79)
            said = network.run("nc", "-N", "localhost", "79", stdin=b"moshez\r\n")
            self.assertEqual(said, b"Happy and well\r\n")
            self.assertEqual(
                identity(daemon), {"Uid": [65534] * 4, "Gid": [65534] * 4, "Groups": [65534]}
            )

    def test_plugin(self) -> None:
        """So does the plugin, under twistd and under twist."""
        needs("nc")
        twist = str(Path(TWISTD).with_name("twist")), "--log-format=text"
        for command in ((TWISTD, "-n", "--pidfile="), twist):
            options = f"--users={self.users}", "--setter=tcp:0", f"--state={self.folder}/state"
            with (
                Network() as network,
                network.daemon(*command, "finger", *options) as daemon,
            ):
                self.assertEqual(daemon.port, 79)
                said = network.run("nc", "-N", "localhost", "79", stdin=b"moshez\r\n")
                self.assertEqual(said, b"Happy and well\r\n")
                self.assertEqual(
                    identity(daemon), {"Uid": [65534] * 4, "Gid": [65534] * 4, "Groups": [65534]}
                )

    def test_userOfItsOwn(self) -> None:
        """Where there is a user called fingerd, that is who it becomes, with all its groups."""
        # The account is there for this test's daemons alone: they have an /etc of their own.
        etc = self.folder / "etc"
        run("cp", "-a", "/etc", str(etc))
        script = f'mount --bind {etc} /etc && exec "$@"'
        inside = "unshare", "--mount", "sh", "-c", script, "sh"
        if "fingerd" not in [user.pw_name for user in pwd.getpwall()]:
            run(*inside, "useradd", "--system", "--user-group", "--groups", "daemon", "fingerd")
        numbers = (run(*inside, "id", option, "fingerd") for option in ("-u", "-g", "-G"))
        uid, gid, groups = ([int(number) for number in text.split()] for text in numbers)
        expected = {"Uid": uid * 4, "Gid": gid * 4, "Groups": sorted(groups)}
        for start in (self.tac, self.plugin):
            with start(asRoot=True, inside=inside) as daemon:
                self.assertEqual(identity(daemon), expected)

    def test_chosenUser(self) -> None:
        """It becomes the user it is told, and twistd's own option wins."""
        with self.plugin("--user=daemon", "--setter=tcp:0", asRoot=True) as daemon:
            self.assertEqual(identity(daemon)["Uid"], [1] * 4)
        arguments = ["finger", "--listen=tcp:0", "--no-setter", f"--users={self.users}"]
        for options, uid, gid in (
            (["--uid=bin"], 2, 2),
            (["--uid=bin", "--gid=daemon"], 2, 1),
            (["--gid=daemon"], 65534, 1),
        ):
            with Daemon("-n", "--pidfile=", *options, *arguments, asRoot=True) as daemon:
                self.assertEqual(identity(daemon)["Uid"], [uid] * 4, options)
                self.assertEqual(identity(daemon)["Gid"], [gid] * 4, options)

    def test_unknownUser(self) -> None:
        """A user who isn't there ends the start with one line."""
        done = subprocess.run(
            [TWISTD, "-n", "--pidfile=", "finger", "--listen=tcp:0", "--user=nosuchuser"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "there is no user 'nosuchuser' to become\n")

    def test_usersFileOfRoot(self) -> None:
        """A users file that only root can read is served, and said not to be read again."""
        self.users.chmod(0o600)
        for start in (self.tac, self.plugin):
            with start(asRoot=True) as daemon:
                daemon.says(
                    f"{self.users} can't be read again by this daemon's user .Permission denied."
                )
                self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
                daemon.signal(signal.SIGHUP)
                daemon.signal(signal.SIGTERM)
                daemon.ended()
                self.assertEqual(sum(str(self.users) in line for line in daemon.log), 2)

    def test_nothingImportedLate(self) -> None:
        """What it needs it has imported before it becomes a user who may not be able to."""
        for arguments in (
            ["-noy", TAC, "--pidfile="],
            [
                "-n",
                "--pidfile=",
                "finger",
                "--listen=tcp:0",
                "--setter=tcp:0",
                f"--users={self.users}",
                f"--state={self.folder}/state",
            ],
        ):
            with Daemon(
                *arguments,
                command=[sys.executable, "-c", _AUDITED],
                environment=self.environment,
                asRoot=True,
            ) as daemon:
                for query in (b"moshez\r\n", b"/W\r\n", b"a b@c\r\n", b"\xff\n", b"x" * 2000):
                    daemon.ask(query)
                for status in ("Busy", "B\x1b", "x" * 2000):
                    daemon.set("moshez", status)
                self.users.write_text("moshez:Changed\nnonsense\n")
                daemon.signal(signal.SIGHUP)
                daemon.says("line 2: ")
                self.users.unlink()
                daemon.signal(signal.SIGHUP)
                daemon.says("can't be read")
                daemon.signal(signal.SIGTERM)
                daemon.ended()
                self.assertEqual([line for line in daemon.log if "imported late" in line], [])
            self.users.write_text("moshez:Happy and well\n")


class ClientTests(WithUsers):
    """What the real clients show."""

    def test_netcat(self) -> None:
        """Debian's netcat asks, with and without half-close, and sets a status."""
        needs("nc")
        with self.tac() as daemon:
            for query in (b"moshez\n", b"moshez\r\n", b"moshez"):
                answer = run("nc", "-N", "localhost", str(daemon.port), stdin=query)
                self.assertEqual(answer, b"Happy and well\r\n")
            answer = run("nc", "localhost", str(daemon.port), stdin=b"moshez\n")
            self.assertEqual(answer, b"Happy and well\r\n")
            for option in ([], ["-N"]):
                said = run(
                    "nc", *option, "localhost", str(daemon.setterPort), stdin=b"moshez\nBusy\n"
                )
                self.assertEqual(said, b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Busy\r\n")

    def test_ncat(self) -> None:
        """Ncat, which half-closes, gets its answer."""
        needs("ncat")
        with self.tac() as daemon:
            answer = run("ncat", "localhost", str(daemon.port), stdin=b"moshez\n")
            self.assertEqual(answer, b"Happy and well\r\n")

    def test_nmap(self) -> None:
        """nmap's finger script shows the list, and its version scan recognises a finger port."""
        needs("nmap")
        with self.tac() as daemon:
            port = str(daemon.port)
            shown = run("nmap", "-Pn", "-n", "-p", port, "--script", "+finger", "127.0.0.1")
            self.assertIn(b"moshez  Happy and well", shown)
            shown = run("nmap", "-Pn", "-n", "-p", port, "-sV", "--version-light", "127.0.0.1")
            self.assertIn(f"{port}/tcp open".encode(), shown)
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
            self.assertNotIn("Traceback", "\n".join(daemon.log))

    def test_finger(self) -> None:
        """finger(1) shows a user, the list, and both in its long form."""
        needsRoot()
        needs("finger")
        with Network() as network, self.tac(True, network.inside, FINGER_PORT=""):
            for option in ([], ["-l"]):
                shown = network.run("finger", *option, "moshez@localhost")
                self.assertEqual(shown, b"Happy and well\n")
                shown = network.run("finger", *option, "@localhost")
                self.assertEqual(shown, b"moshez  Happy and well\nradix   Writing\n")
            self.assertIn(b"No such user", network.run("finger", "nobody@localhost"))
            self.assertIn(
                b"Finger forwarding service denied",
                network.run("finger", "a@example.com@localhost"),
            )

    def test_lynx(self) -> None:
        """Lynx shows a user, with the last line too."""
        needsRoot()
        needs("lynx")
        with Network() as network, self.tac(True, network.inside, FINGER_PORT=""):
            shown = network.run("lynx", "-dump", "finger://localhost/radix")
            self.assertIn(b"Writing", shown)
            self.assertIn(b"a web server", shown)
            self.assertIn(
                b"Happy and well", network.run("lynx", "-dump", "finger://localhost/moshez/w")
            )
