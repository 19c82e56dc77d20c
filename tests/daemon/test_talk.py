"""The README's table of the talk's servers: every command in it, run and asked."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import IS_ROOT, ROOT, TWISTD, Daemon, needs, needsRoot, run
from tests.support.network import Network
from tests.support.real_users import makeUser

README = (ROOT / "README.md").read_text()
SECTION = README.partition("## The talk's servers\n")[2].partition("\n## ")[0]
# What the talk's server is called, and what stands between backquotes beside it.
ROWS = {
    name: re.findall("`(.+?)`", now)
    for name, now in re.findall(r"^\| ([^|]+) \| (`twistd[^|]+) \|", SECTION, re.M)
}
HOST = "internal.example.com"
TAC = str(ROOT / "finger.tac")


class TalkTests(SynchronousTestCase):
    """
    Each row does what it promises. Only ports, hosts and the place of the users file are others
    than the README's: a test may not touch the machine's own.
    """

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # For the state directories of daemons that are not root's.
        self.folder.chmod(0o1777)
        self.users = self.folder / "users"
        self.users.write_text("moshez:Happy and well\nradix:Writing\n")

    def daemon(self, row: str, tac: str = TAC, **others: str) -> Daemon:
        """
        The daemon of that row.

        @param tac: what finger.tac is.
        @param others: what stands for the row's other words, by name: see below.
        """
        [_, *words] = shlex.split(ROWS[row][0])
        replaced = {
            "finger.tac": tac,
            f"finger://{HOST}": f"finger://{others.get('upstream')}",
            "/etc/users": str(self.users),
            "tcp:1079:interface=127.0.0.1": "tcp:0:interface=127.0.0.1",
            "30": others.get("reload", "30"),
        }
        words = [replaced.get(word, word) for word in words]
        if "finger" in words:
            words.append("--listen=tcp:0:interface=127.0.0.1")
            if "--setter" not in words:
                words.append("--setter=tcp:0:interface=127.0.0.1")
        return Daemon(
            "--pidfile=",
            *words,
            environment={
                "FINGER_PORT": "0",
                "FINGER_SETTER_PORT": "0",
                "FINGER_USERS": str(self.users),
                "FINGER_STATE": f"{self.folder}/state",
            },
        )

    def test_rows(self) -> None:
        """Every row is tried below."""
        tried = re.findall(r'ROWS\["(.+?)"\]|self\.daemon\(\s*"(.+?)"', Path(__file__).read_text())
        self.assertEqual({name for pair in tried for name in pair if name}, set(ROWS))
        self.assertEqual(len(ROWS), len(SECTION.partition("|---|")[2].strip().splitlines()) - 1)

    def test_noSuchUser(self) -> None:
        """A server with no users says so of everyone."""
        with self.daemon("no such user") as daemon:
            for query in (b"moshez\r\n", b"root\r\n", b"/W moshez\r\n", b"\r\n"):
                self.assertEqual(daemon.ask(query), b"No such user\r\n")

    def test_usersInTheProgram(self) -> None:
        """
        Users can be given in the tac, by keyword as in the talk; a status that was acknowledged
        is there after a restart, as everywhere.
        """
        _, *lines = ROWS["users in the program"]
        given = "\n".join(lines)
        tac, found = re.subn(r"^finger = .*$", given, Path(TAC).read_text(), flags=re.M)
        self.assertEqual(found, 1)
        edited = self.folder / "finger.tac"
        edited.write_text(tac.replace("os.path.abspath(__file__)", repr(TAC)))
        with self.daemon("users in the program", tac=str(edited)) as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            self.assertEqual(daemon.ask(b"radix\r\n"), b"No such user\r\n")
            self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
        with self.daemon("users in the program", tac=str(edited)) as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Writing\r\n")

    def test_process(self) -> None:
        """finger(1) is run, and its words are the answer."""
        needs("finger")
        with self.daemon("the standard thing: a process") as daemon:
            said = daemon.ask(b"root\r\n")
            self.assertRegex(said, rb"\ALogin: root +\t+Name: ")
            self.assertEqual(daemon.ask(b"no-such-user\r\n"), b"No such user\r\n")

    def test_whitewash(self) -> None:
        """What may not be named isn't, in finger(1)'s words either."""
        needsRoot()
        needs("finger")
        user = makeUser("fdtalk", self.addCleanup, "Microsoft Bob")
        with self.daemon("whitewashed") as daemon:
            said = daemon.ask(f"{user.pw_name}\r\n".encode())
            self.assertIn(b"Name: It which cannot be named Bob\r\n", said)
            self.assertNotIn(b"Microsoft", said)

    def test_root(self) -> None:
        """Root's daemon has port 79, and is root no longer."""
        needs("finger")
        [command] = ROWS["port 79, and root given up"]
        with Network() as network, network.daemon(*self.asRoot(command)) as daemon:
            self.assertEqual((daemon.port, daemon.setterPort), (79, 1079))
            # The system's users file is whatever it is.
            self.assertIn(b"No such user", network.run("finger", "no-such-user@localhost"))
            owner = run("stat", "-c", "%U", f"/proc/{daemon.pid}").decode().strip()
            self.assertIn(owner, ("fingerd", "nobody"))

    def test_tac(self) -> None:
        """So does the tac; nothing at all is substituted in its command."""
        needs("finger")
        [command] = ROWS["a tac file"]
        with Network() as network, network.daemon(*self.asRoot(command)) as daemon:
            self.assertEqual((daemon.port, daemon.setterPort), (79, 1079))
            self.assertIn(b"No such user", network.run("finger", "no-such-user@localhost"))
            self.assertNotEqual(Path(f"/proc/{daemon.pid}").stat().st_uid, 0)

    def asRoot(self, command: str) -> list[str]:
        [_, *words] = shlex.split(command)
        words = [TAC if word == "finger.tac" else word for word in words]
        state = [f"--state={self.folder}/state"] if "finger" in words else []
        return [TWISTD, "--pidfile=", *words, *state]

    def test_setter(self) -> None:
        """Whoever is on this machine sets anyone's status: not root and the daemon's user only."""
        needs("nc")
        other = ["setpriv", "--reuid=bin", "--clear-groups"] if IS_ROOT else []
        with self.daemon("a setter on localhost") as daemon:
            port = str(daemon.setterPort)
            said = run(*other, "nc", "127.0.0.1", port, stdin=b"moshez\nBusy\n")
            self.assertEqual(said, b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Busy\r\n")

    def test_periodic(self) -> None:
        """The file is read again by itself."""
        with self.daemon("a file, read periodically", reload="0.1") as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            self.users.write_text("moshez:Changed\n")
            daemon.says("users: 1 user")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Changed\r\n")

    def test_proxy(self) -> None:
        """Another server is asked, and its words are the answer."""
        with (
            self.daemon("a file, read periodically") as upstream,
            self.daemon("a proxy", upstream=f"localhost:{upstream.port}") as daemon,
        ):
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            self.assertEqual(daemon.ask(b"glyph\r\n"), b"No such user\r\n")

    def test_masked(self) -> None:
        """A masked user is, in every byte, one that doesn't exist; others are there."""
        with (
            self.daemon("a file, read periodically") as upstream,
            self.daemon("masked users", upstream=f"localhost:{upstream.port}") as daemon,
        ):
            self.assertEqual(daemon.ask(b"moshez\r\n"), daemon.ask(b"glyph\r\n"))
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"No such user\r\n")
            self.assertEqual(daemon.ask(b"radix\r\n"), b"Writing\r\n")
            listed = daemon.ask(b"\r\n")
            self.assertIn(b"radix", listed)
            self.assertNotIn(b"moshez", listed)
