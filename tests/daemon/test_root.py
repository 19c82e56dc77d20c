"""What becomes of the real daemon when root starts it."""

from __future__ import annotations

import pwd
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.daemon import PATIENCE, TWISTD, Daemon, needs, needsRoot, run
from tests.support.network import Network
from tests.support.with_users import TAC, WithUsers, identity

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
