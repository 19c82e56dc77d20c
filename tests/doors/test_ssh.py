"""The ssh door, by ssh(1), scp(1) and sftp(1) as people run them, and by what is no ssh at all."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar
from unittest import TestCase

from fingerd.system.state_directory import HOST_KEY
from tests.support.daemon import NOBODY, PATIENCE, TWISTD, exchange, needs, needsRoot, run
from tests.support.ssh import SSHDaemon, makeKey, say

DENIED = "moshez@127.0.0.1: Permission denied (publickey).\n"


class Shared(TestCase):
    """Tests that share a daemon: nobody but moshez has a key that counts."""

    OPTIONS: ClassVar[tuple[str, ...]] = ()
    home: ClassVar[Path]
    daemon: ClassVar[SSHDaemon]

    @classmethod
    def setUpClass(cls) -> None:
        cls.home = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.home)
        cls.home.chmod(0o755)
        (cls.home / "keys").mkdir()
        lines = {name: makeKey(cls.home, f"{name}.key") for name in ("moshez", "wrong", "limited")}
        lines["rsa"] = makeKey(cls.home, "rsa.key", "-t", "rsa", "-b", "2048")
        lines["p384"] = makeKey(cls.home, "p384.key", "-t", "ecdsa", "-b", "384")
        (cls.home / "keys" / "moshez").write_text(
            f"# moshez's\n\n{lines['moshez']}\n{lines['rsa']}\nrestrict,no-pty {lines['p384']}\n"
            f'from="192.0.2.1" {lines["limited"]}\n',
            "utf-8",
        )
        cls.daemon = SSHDaemon(cls.home, *cls.OPTIONS)
        cls.daemon.__enter__()
        cls.addClassCleanup(cls.daemon.__exit__)


class CommandTests(Shared):
    """What users of ssh(1) say, and are told."""

    def said(self, command: str, *options: str, stdin: bytes = b"") -> str:
        """What a command that is done writes."""
        said = self.daemon.ssh(command, *options, stdin=stdin)
        self.assertEqual((said.status, said.error), (0, ""))
        return said.out

    def refused(self, command: str, stdin: bytes = b"") -> tuple[int, str]:
        """What a command that isn't done ends with, and says on standard error."""
        said = self.daemon.ssh(command, stdin=stdin)
        self.assertEqual(said.out, "")
        return said.status, said.error

    def test_statuses(self) -> None:
        """A command is a status; it can end, be shown, be taken back, or come by standard input."""
        self.said("At lunch")
        self.assertEqual(self.daemon.status(), "At lunch")
        self.said("set --for 2h Gone for a walk")
        self.assertEqual(self.said("show"), "Gone for a walk\n")
        self.said("set show", stdin=b"not read")
        self.assertEqual(self.daemon.status(), "show")
        self.said("-", stdin="Está en la reunión\nuntil four\n".encode())
        self.assertEqual(self.daemon.status(), "Está en la reunión\r\nuntil four")
        self.said("clear")
        self.assertEqual(self.daemon.status(), "Happy and well")

    def test_record(self) -> None:
        """So is a plan, a project, and whether the user is shown; the last change is taken back."""
        self.said("plan", stdin=b"To write\nand to rest\n")
        self.said("project A web server")
        shown = self.said("show")
        self.assertIn("Project: A web server\n", shown)
        self.assertTrue(shown.endswith("Plan:\nTo write\nand to rest\n"), shown)
        self.said("hide")
        self.assertEqual(self.said("show"), "No such user\n")
        self.said("undo")
        self.assertIn("A web server", self.said("show"))
        self.said("project clear")
        self.said("plan clear")
        self.assertEqual(self.said("show"), "Happy and well\n")

    def test_told(self) -> None:
        """What was done is said as fingerset says it; what was set is told, and can be erased."""
        self.said("erase")
        self.assertEqual(self.said("Writing"), "moshez: Writing\n")
        told = self.said("set --for 2h At lunch")
        self.assertRegex(told, r"\Amoshez: At lunch, until .*; before it: Writing\n\Z")
        self.assertEqual(self.said("plan", stdin=b"To rest\n"), "moshez: plan: To rest\n")
        self.assertEqual(self.said("undo"), "moshez: no plan set; before it: plan: To rest\n")
        self.assertEqual(self.said("hide"), "moshez: hidden\n")
        self.assertEqual(self.said("unhide"), "moshez: shown; before it: hidden\n")
        self.assertEqual(self.said("public-history"), "moshez: the history is public\n")
        lines = self.said("history").splitlines()
        self.assertEqual(len(lines), 5)
        self.assertRegex(lines[-1], r"\A\d{4}-\d\d-\d\d \d\d:\d\d  Writing \(moshez.*\)\Z")
        erased = "moshez: all that was set is erased, the history included\n"
        self.assertEqual(self.said("erase"), erased)
        self.assertEqual(self.said("history"), "")
        self.assertEqual(self.said("show"), "Happy and well\n")

    def test_help(self) -> None:
        """Without a command there is help and no shell, and nobody gets a terminal."""
        self.assertIn("set by one line", self.said("help"))
        self.assertEqual(self.said("", "-T"), self.said("help"))
        terminal = self.daemon.ssh("help", "-tt")
        self.assertEqual((terminal.status, terminal.out), (255, ""))
        self.assertIn("PTY allocation request failed", terminal.error)

    def test_refusals(self) -> None:
        """What can't be set is said on standard error, with a status of 1, and 2 for nonsense."""
        before = self.daemon.status()
        self.assertEqual(
            self.refused("x" * 1025), (1, "Not set: a status has 1024 bytes at most\n")
        )
        self.assertEqual(self.refused("-", b"\xff"), (2, "a status is UTF-8 text\n"))
        self.assertEqual(
            self.refused("-", b" \n"),
            (2, "standard input is empty: to take back what was set, use clear\n"),
        )
        status, words = self.refused("set --for ever x")
        self.assertEqual(status, 2)
        self.assertIn("is a time such as", words)
        status, words = self.refused("set --for 999d x")
        self.assertEqual((status, words), (1, "Not set: a status lasts from 1s to 366d\n"))
        self.assertEqual(self.daemon.status(), before)

    def test_endlessInput(self) -> None:
        """Standard input that never ends is read up to a limit, and the client is told."""
        with open("/dev/zero", "rb") as zeros:
            said = self.daemon.ssh("-", stdin=zeros)
        self.assertEqual(
            (said.status, said.error), (1, "Not set: standard input has 65536 bytes at most\n")
        )
        with open("/dev/zero", "rb") as zeros:
            self.assertEqual(self.daemon.ssh("show", stdin=zeros).status, 0)

    def test_everyKindOfKey(self) -> None:
        """RSA and ECDSA keys are as good as others, also where a line forbids what none can do."""
        for key in ("rsa.key", "p384.key"):
            self.assertEqual(self.daemon.ssh("show", key=key).status, 0, key)

    def test_whoSetIt(self) -> None:
        """The log says whose key it was and from where, and not what was set."""
        self.said("A secret of mine")
        self.daemon.says("status of 'moshez' set by moshez on ssh from 127.0.0.1")
        self.assertFalse([line for line in self.daemon.log if "secret" in line])

    def test_agentAndTerminalAndForwarding(self) -> None:
        """What asks for an agent, or for ports on the way, has its command done, and no more."""
        self.assertEqual(self.daemon.ssh("show", "-A").status, 0)
        with socket.create_server(("127.0.0.1", 0)) as target:
            there = f"127.0.0.1:{target.getsockname()[1]}"
            local = f"{self.home}/local:{there}"
            self.assertEqual(self.daemon.ssh("show", "-L", local).status, 0)
            forwarded = self.daemon.ssh("", "-W", there)
            self.assertNotEqual(forwarded.status, 0)
            self.assertIn("administratively prohibited", forwarded.error)
            remote = self.daemon.ssh("", "-N", "-oExitOnForwardFailure=yes", "-R", f"0:{there}")
            self.assertNotEqual(remote.status, 0)
            target.setblocking(False)
            with self.assertRaises(BlockingIOError):
                target.accept()

    def test_noFiles(self) -> None:
        """Neither sftp(1) nor scp(1), by its old protocol too, copies anything or sets a status."""
        before = self.daemon.status()
        file = self.home / "file"
        file.write_text("Some text", "utf-8")
        options = self.daemon.options("moshez.key")
        where = "moshez@127.0.0.1:there"
        for command in (
            ["sftp", *options, "moshez@127.0.0.1"],
            ["scp", *options, str(file), where],
            ["scp", "-O", *options, str(file), where],
            ["scp", "-O", *options, where, str(file)],
        ):
            self.assertNotEqual(say(command).status, 0, command)
        self.assertEqual(self.daemon.status(), before)
        self.assertEqual(file.read_text("utf-8"), "Some text")


class LoginTests(Shared):
    """Who is let in."""

    def test_wrongKeys(self) -> None:
        """A key of nobody's, another's name, and a key with an option that counts, are refused."""
        said = self.daemon.ssh("x", key="wrong.key")
        self.assertEqual((said.status, said.error), (255, DENIED))
        said = self.daemon.ssh("x", login="radix")
        self.assertEqual((said.status, said.error), (255, DENIED.replace("moshez", "radix")))
        said = self.daemon.ssh("x", key="limited.key")
        self.assertEqual((said.status, said.error), (255, DENIED))
        self.daemon.says("a key of 'moshez' doesn't count, line 6: a key with the option from")
        self.assertEqual(self.daemon.status("radix"), "Writing")

    def test_nothingTellsWhoThereIs(self) -> None:
        """What a client sees of a refused key is the same for a user, another, and for nobody."""
        seen = set()
        for login in ("moshez", "radix", "nobody-of-that-name", "../../etc/passwd"):
            said = self.daemon.ssh("x", "-vv", key="wrong.key", login=login)
            self.assertEqual(said.status, 255)
            told = said.error.partition("SSH2_MSG_EXT_INFO received")[2].replace(login, "LOGIN")
            self.assertIn("Offering public key", told)
            seen.add("\n".join(line for line in told.split("\n") if "bytes: sent" not in line))
        self.assertEqual(len(seen), 1, seen)

    def test_threeAttempts(self) -> None:
        """The third key that is tried still counts, and the fourth doesn't."""
        makeKey(self.home, "second.key")
        makeKey(self.home, "third.key")
        first, second, third = (
            ["-i", self.daemon.key(name)] for name in ("wrong.key", "second.key", "third.key")
        )
        last = ["-i", self.daemon.key("moshez.key")]
        base = self.daemon.options()
        there = ["moshez@127.0.0.1", "show"]
        self.assertEqual(say(["ssh", *base, *first, *second, *last, *there]).status, 0)
        said = say(["ssh", *base, *first, *second, *third, *last, *there])
        self.assertEqual(said.status, 255)
        self.assertIn("too many bad auths", said.error)

    def test_noPasswords(self) -> None:
        """There are public keys, and nothing else."""
        said = self.daemon.ssh("x", "-oPreferredAuthentications=password,keyboard-interactive")
        self.assertEqual((said.status, said.error), (255, DENIED))

    def test_modernAlgorithmsOnly(self) -> None:
        """CBC, SHA-1, DSA and old exchanges find no match; compression isn't done."""
        for option in (
            "Ciphers=aes128-cbc",
            "Ciphers=3des-cbc",
            "MACs=hmac-sha1",
            "MACs=hmac-md5",
            "KexAlgorithms=diffie-hellman-group14-sha1",
            "KexAlgorithms=diffie-hellman-group-exchange-sha256",
            "HostKeyAlgorithms=ssh-rsa",
        ):
            said = self.daemon.ssh("x", f"-o{option}")
            self.assertEqual(said.status, 255, option)
            self.assertIn("no matching", said.error, option)
        said = self.daemon.ssh("x", "-oPubkeyAcceptedAlgorithms=ssh-rsa", key="rsa.key")
        self.assertEqual(said.status, 255)
        said = self.daemon.ssh("show", "-v", "-oCompression=yes")
        self.assertEqual(said.status, 0)
        self.assertIn("compression: none", said.error)

    def test_fingerprint(self) -> None:
        """The fingerprint in the log is that of the key which clients are shown."""
        self.daemon.ssh("show")
        known = str(self.home / f"known-{self.daemon.sshPort}")
        shown = say(["ssh-keygen", "-l", "-f", known]).out
        self.assertIn(self.daemon.fingerprint, shown)


class NoClientTests(Shared):
    """What is no ssh client, or none that does anything."""

    OPTIONS = (
        "--limit=sshLoginTime=5",
        "--limit=sshInputTime=1",
        "--limit=connectionTime=10",
        "--limit=sshPeerConnections=10",
        "--limit=sshConnections=20",
    )

    def silent(self, data: bytes = b"", host: str = "127.0.0.1") -> socket.socket:
        """A connection that says only this, from this address."""
        connection = socket.create_connection(
            ("127.0.0.1", self.daemon.sshPort), PATIENCE, (host, 0)
        )
        connection.sendall(data)
        return connection

    def all(self, connection: socket.socket) -> bytes:
        """What comes until the daemon closes, in whatever way."""
        received = b""
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
        return received

    def test_silence(self) -> None:
        """A client that says nothing, or only who it is, is closed when its time is over."""
        with ExitStack() as stack:
            for connection in [
                stack.enter_context(self.silent(said))
                for said in (b"", b"SSH-2.0-", b"SSH-2.0-x\r\n")
            ]:
                self.assertTrue(self.all(connection).startswith(b"SSH-2.0-fingerd\r\n"))

    def test_garbage(self) -> None:
        """What is no SSH is closed at once, and leaves nothing in the log."""
        before = len(self.daemon.log)
        for said in (
            b"GET / HTTP/1.0\r\n\r\n",
            b"\n" * 10_000,
            b"moshez\r\n",
            b"hello\r\nSSH-2.0-x\r\n",
            b"SSH-1.5-x\r\n",
            b"SSH-2.0-" + b"x" * 10_000,
            b"\0" * 100,
            b"SSH-2.0-x\r\n" + b"\xff" * 1000,
            b"SSH-2.0-x\r\n" + bytes.fromhex("0000000c0a14") + bytes(10),
            b"SSH-2.0-x\r\n" + bytes.fromhex("0000000c0a1e") + bytes(10),
            b"SSH-2.0-x\r\n" + bytes.fromhex("0000000c0a05") + bytes(10),
            b"SSH-2.0-x\r\n" + (bytes.fromhex("0000000c0a02") + bytes(10)) * 3000,
        ):
            with self.subTest(said=said[:40]), self.silent(said) as connection:
                self.all(connection)
        self.assertEqual(self.daemon.ssh("show").status, 0)
        self.assertEqual(self.daemon.log[before:], [])

    def test_noCommand(self) -> None:
        """Whoever logs in and does nothing more is closed when the connection's time is over."""
        self.assertEqual(self.daemon.ssh("", "-N").status, 255)

    def test_inputThatNeverComes(self) -> None:
        """A command that waits for standard input doesn't wait for ever, and says so."""
        command = ["ssh", *self.daemon.options("moshez.key"), "moshez@127.0.0.1", "-"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as waiting:
            assert waiting.stderr is not None
            self.assertIn(b"Not set: standard input has not ended in time\n", waiting.stderr.read())
            self.assertEqual(waiting.wait(PATIENCE), 1)

    def test_aCrowdThatIsSilent(self) -> None:
        """Beside hundreds of a peer's silent connections, those of it that speak get in."""
        with ExitStack() as crowd:
            for _ in range(500):
                crowd.enter_context(self.silent())
            for _ in range(3):
                self.assertEqual(self.daemon.ssh("show").status, 0)
        self.assertEqual(exchange(self.daemon.port, b"moshez\r\n"), b"Happy and well\r\n")

    def test_aSilentCrowdFromEverywhere(self) -> None:
        """
        Where silent clients from many places have taken all connections, whoever speaks gets one
        of theirs.
        """
        before = len(self.daemon.log)
        with ExitStack() as crowd:
            for number in range(100):
                client = crowd.enter_context(self.silent(host=f"127.0.1.{number + 1}"))
                # One that nothing was said to yet has just come, and wouldn't have to go.
                self.assertIn(b"SSH-2.0-", client.recv(64))
            for _ in range(3):
                self.assertEqual(self.daemon.ssh("show").status, 0)
        self.assertEqual(self.daemon.log[before:], [])


class StateTests(TestCase):
    """What a daemon keeps, and where keys may come from."""

    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home)
        self.home.chmod(0o755)
        self.line = makeKey(self.home, "moshez.key")

    def test_hostKeyAfterRoot(self) -> None:
        """
        Started by root, the daemon has its host key as the user that it has become, who alone may
        read it; and it is the same after a restart.
        """
        needsRoot()
        (self.home / "keys").mkdir()
        (self.home / "keys" / "moshez").write_text(self.line, "utf-8")
        state = self.home / "state"
        told = (f"--state={state}", "--user=nobody")
        with SSHDaemon(self.home, *told, asRoot=True) as daemon:
            first = daemon.fingerprint
            self.assertEqual(daemon.ssh("show").status, 0)
        made = (state / HOST_KEY).stat()
        self.assertEqual((made.st_uid, made.st_mode & 0o777), (NOBODY, 0o600))
        with SSHDaemon(self.home, *told, asRoot=True) as daemon:
            self.assertEqual(daemon.fingerprint, first)

    def test_hostKeyNamed(self) -> None:
        """
        Daemons on several machines have one host key, which their administrator has made: nobody
        but root needs to be able to read it, and it is also read where there are workers.
        """
        makeKey(self.home, "host.key")
        made = run("ssh-keygen", "-l", "-f", str(self.home / "host.key.pub")).decode().split()[1]
        for number, more in enumerate(([], ["--workers=2"])):
            options = (f"--state={self.home}/state{number}", f"--ssh-host-key={self.home}/host.key")
            with SSHDaemon(self.home, *options, *more, asRoot=True) as daemon:
                self.assertEqual(daemon.fingerprint, made)
            self.assertFalse((self.home / f"state{number}" / HOST_KEY).exists())

    def test_noStateDirectory(self) -> None:
        """Where statuses are in a database, the host key must be named, and a line says so."""
        told = ("--state=postgresql://nowhere/fingerd", "--ssh=tcp:0")
        said = run("sh", "-c", '"$0" "$@" 2>&1', TWISTD, "finger", *told, check=False).decode()
        self.assertIn("--state names none: say --ssh-host-key FILE", said)

    def test_keysInATomlFile(self) -> None:
        """Keys may be in a TOML file, as a list too; nobody who asks is shown them."""
        people = self.home / "people.toml"
        people.write_text(f'[moshez]\nssh-keys = ["{self.line}"]\nstatus = "Happy"\n', "utf-8")
        with SSHDaemon(self.home, users=f"toml:{people}") as daemon:
            self.assertEqual(daemon.ssh("At lunch").status, 0)
            self.assertEqual(daemon.ask(b"/W moshez\r\n"), b"At lunch\r\n")

    def test_reload(self) -> None:
        """A key that is added counts after SIGHUP, and one that is taken away doesn't any more."""
        (self.home / "keys").mkdir()
        mine = self.home / "keys" / "moshez"
        with SSHDaemon(self.home) as daemon:
            self.assertEqual(daemon.ssh("show").status, 255)
            mine.write_text(self.line, "utf-8")
            os.utime(mine, (1, 1))
            for status in (0, 255):
                daemon.signal(signal.SIGHUP)
                # (When it has looked, nothing says.)
                tries = (daemon.ssh("show").status for _ in range(100))
                self.assertIn(status, tries)
                mine.unlink(missing_ok=True)

    def test_behindABalancer(self) -> None:
        """A balancer says where a client is, and the log says it of what the client sets."""
        needs("nc")
        (self.home / "keys").mkdir()
        (self.home / "keys" / "moshez").write_text(self.line, "utf-8")
        with SSHDaemon(self.home, "--proxy-from=127.0.0.1") as daemon:
            header = r"PROXY TCP4 192.0.2.7 192.0.2.1 4242 22\r\n"
            way = f"sh -c \"(printf '{header}'; cat) | nc -N 127.0.0.1 {daemon.sshPort}\""
            self.assertEqual(daemon.ssh("At lunch", "-o", f"ProxyCommand={way}").status, 0)
            daemon.says("status of 'moshez' set by moshez on ssh from 192.0.2.7")

    def test_withoutTheExtra(self) -> None:
        """Where conch isn't installed, the start ends with the line that says how to."""
        program = (
            "import sys; sys.modules['twisted.conch'] = None\n"
            "from twisted.scripts.twistd import run; run()"
        )
        told = ["--listen=tcp:0", "--ssh=tcp:0", f"--state={self.home}/state"]
        ended = say([sys.executable, "-c", program, "-n", "--pidfile=", "finger", *told])
        self.assertEqual(ended.status, 1)
        self.assertIn("it needs an extra: pip install 'fingerd[ssh]'", ended.error + ended.out)

    def test_noSuchUser(self) -> None:
        """A key for a name that no directory has lets nobody make one."""
        (self.home / "keys").mkdir()
        (self.home / "keys" / "ghost").write_text(self.line, "utf-8")
        with SSHDaemon(self.home) as daemon:
            said = daemon.ssh("Boo", login="ghost")
            self.assertEqual((said.status, said.error), (1, "No such user\n"))

    def test_starts(self) -> None:
        """What can't be is said in one line, and ends the start."""
        (self.home / "open").mkdir()
        (self.home / "open").chmod(0o777)
        for told, said in (
            (["--ssh=tcp:0", f"--ssh-keys={self.home}/none"], "can't read the keys in"),
            (["--ssh=tcp:0", f"--ssh-keys={self.home}/open"], "everyone may write to it"),
            (["--ssh=tcp:0", "--no-setter"], "--ssh and --no-setter exclude each other"),
            ([f"--ssh-keys={self.home}"], "nobody could use them"),
            (["--ssh=what"], "--ssh what:"),
        ):
            command = [TWISTD, "-n", "--pidfile=", "finger", "--listen=tcp:0:interface=127.0.0.1"]
            state = [] if "--no-setter" in told else [f"--state={self.home}/st", "--setter=tcp:0"]
            ended = say([*command, *state, *told])
            self.assertEqual(ended.status, 1, told)
            self.assertIn(said, ended.error + ended.out)
