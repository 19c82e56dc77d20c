"""``fingerd-check``, and ``twistd finger --check``."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.daemon.test_config import Written
from tests.support.daemon import PATIENCE, TWISTD, Daemon, exchange, needsRoot
from tests.support.forking import runForked

# A database as it was written before there was more to a record than a status.
FIRST = Path(__file__).parents[1] / "stores" / "first_schema.sql"

CHECK = str(Path(TWISTD).with_name("fingerd-check"))
USERS = """\
[moshez]
name = "Moshe"
status = "Happy at Microsoft"
home_phone = "555-0100"
plan = "Sleep\\u0007"
[glyph]
hidden = true
"""


class CheckTests(Written):
    """What is said of a daemon that doesn't run yet."""

    def setUp(self) -> None:
        self.users = self.config(USERS)
        self.state = f"{Path(self.users).parent}/state"

    def check(self, *arguments: str, command: tuple[str, ...] = (CHECK,)) -> tuple[int, str]:
        """How it ends, and what it says."""
        common = f"--directory=toml:{self.users}", f"--state={self.state}", "--listen=tcp:0"
        done = runForked([*command, *common, *arguments], os.environ, PATIENCE)
        self.assertEqual(done.stderr, b"")
        return done.returncode, done.stdout.decode()

    def test_well(self) -> None:
        """All is well: it says where, as whom and what would be shown, and ends with 0."""
        for command in ((CHECK,), (TWISTD, "finger", "--check")):
            status, said = self.check("--web=systemd:domain=INET:index=0", command=command)
            self.assertEqual(status, 0, said)
            self.assertIn("finger: tcp:0\n", said)
            self.assertIn("web: systemd:domain=INET:index=0\n", said)
            uid = 65534 if os.geteuid() == 0 else os.geteuid()
            self.assertIn(f"runs as: uid {uid}, ", said)
            self.assertIn(f"directory toml:{self.users}: 1 user\n", said)
            self.assertIn("the public sees, list: login, name, status\n", said)
            self.assertFalse(os.path.exists(self.state))

    def test_cannotStart(self) -> None:
        """A daemon that couldn't start: the line that it would end with, and the status 1."""
        status, said = self.check("--setter=7979")
        self.assertEqual(status, 1)
        self.assertEqual(
            said.splitlines()[-1],
            "error: fingerd-check: --setter 7979: a port is written tcp:7979",
        )

    def test_unreadable(self) -> None:
        """A file that the daemon's user can't read again is warned of, and the status is 2."""
        needsRoot()
        Path(self.users).chmod(0o600)
        status, said = self.check()
        self.assertEqual(status, 2)
        self.assertIn(f"warning: {self.users} can't be read again by this daemon's user", said)

    def test_homes(self) -> None:
        """So are homes that the daemon's user can't enter, and those that aren't there."""
        needsRoot()
        home = Path(self.users).parent / "home"
        home.mkdir(mode=0o700)
        away = home.with_name("away")
        accounts = self.config(
            f"zoe:x:1234:1234:Zoe:{home}:/bin/sh\nida:x:1235:1235:Ida:{away}:/bin/sh\n"
        )
        status, said = self.check(f"--directory=passwd:{accounts}")
        self.assertEqual(status, 2)
        self.assertIn("the homes of 2 can't be looked into, such as zoe's", said)

    def test_explain(self) -> None:
        """A shown user: who knows them, what became of each field, and the very answer."""
        status, said = self.check(
            *("--explain=moshez", "--from=192.0.2.7", "--replace=Microsoft=It")
        )
        self.assertEqual(status, 0, said)
        for line in (
            f"toml:{self.users}: knows moshez",
            "name: shown",
            "status: shown as --replace makes it",
            "home-phone: not shown, since it is not in --user-fields",
            "plan: shown, cleaned",
            "Status: Happy at It\r",
        ):
            self.assertIn(f"\n{line}\n", said)
        self.assertNotIn("was set", said)

    def test_explainForwarding(self) -> None:
        """A user of another host: whether the query would go there, without asking anybody."""
        for arguments, words in (
            ([], "not forwarded to other.example: there is no --forward\n"),
            (["--forward=*.elsewhere.example"], "not forwarded to other.example: --forward has *."),
            (["--forward=*.example"], "forwarded to other.example:79, which is asked for alice; "),
            (["--forward=*.example", "--door=web"], "only the door finger forwards queries\n"),
        ):
            status, said = self.check("--explain=alice@other.example", *arguments)
            self.assertEqual(status, 0, said)
            self.assertTrue(said.startswith(words), said)
            refused = said.endswith("The answer:\nFinger forwarding service denied\r\n\n")
            self.assertEqual(refused, words.startswith("not"), said)
        status, said = self.check("--explain=@[::1]", "--forward=::1")
        self.assertTrue(said.startswith("forwarded to [::1]:79, which is asked for its list\n"))
        status, said = self.check("--explain=a@b@c@other.example", "--forward=*.example")
        self.assertIn("two hops at most", said)

    def test_explainBalancer(self) -> None:
        """What --proxy-from means to the client is said before all else."""
        for address, words in (
            ("192.0.2.7", "192.0.2.7 is a load balancer's (--proxy-from): "),
            ("198.51.100.1", "198.51.100.1 is no load balancer's (--proxy-from 192.0.2.0/24): "),
        ):
            status, said = self.check(
                *("--explain=moshez", f"--from={address}", "--proxy-from=192.0.2.0/24")
            )
            self.assertEqual(status, 0, said)
            self.assertTrue(said.startswith(words), said)

    def test_olderStatuses(self) -> None:
        """Statuses that an older daemon has kept are read, and its file stays as it is."""
        os.mkdir(self.state, 0o700)
        kept = Path(self.state, "statuses.sqlite")
        with closing(sqlite3.connect(kept)) as connection:
            connection.executescript(FIRST.read_text("utf-8"))
        if os.geteuid() == 0:
            for path in (self.state, kept):
                os.chown(path, 65534, 65534)
        before = kept.read_bytes()
        status, said = self.check()
        self.assertEqual(status, 0, said)
        status, said = self.check("--explain=moshez", "--from=192.0.2.7")
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"Status \(.*\): Writing\r\n")
        self.assertEqual(kept.read_bytes(), before)
        with closing(sqlite3.connect(kept)) as connection:
            connection.execute("UPDATE statuses SET status = x'41' WHERE login = 'moshez'")
            connection.commit()
        status, said = self.check()
        self.assertEqual(status, 2, said)
        self.assertIn("of 'moshez', has no text", said)

    def test_hidden(self) -> None:
        """A hidden or masked user is explained to the administrator, and unknown in the answer."""
        for arguments, words in (
            (["--explain=glyph"], "knows glyph, and hides them"),
            (["--explain=moshez", "--mask=moshez"], "--mask hides moshez"),
        ):
            _, said = self.check(*arguments)
            self.assertIn(words, said)
            self.assertTrue(said.endswith("The answer:\nNo such user\r\n\n"), said)

    def test_sameAsTheDaemon(self) -> None:
        """The answer is the daemon's own, with what was set, at the finger door and on the web."""
        options = f"--directory=toml:{self.users}", "--replace=Microsoft=It"
        with Daemon(
            *("-n", "--pidfile=", "finger", "--listen=tcp:0:interface=127.0.0.1"),
            *("--setter=tcp:0:interface=127.0.0.1", f"--state={self.state}", *options),
            asRoot=True,
        ) as daemon:
            for text in ("", "At lunch"):
                if text:
                    self.assertEqual(daemon.set("moshez", text), b"OK\r\n")
                for query, more in ((b"moshez", ()), (b"/W moshez", ("--verbose",))):
                    answer = exchange(daemon.port, query + b"\r\n").decode()
                    _, said = self.check("--explain=moshez", *options[1:], *more)
                    self.assertEqual(
                        _undated(said.partition("\nThe answer:\n")[2]), _undated(f"{answer}\n")
                    )
            self.assertIn("a status was set, and lies over what the directory says", said)
            self.assertNotIn("a plan was set", said)
            _, said = self.check("--explain=moshez", "--door=web")
            self.assertIn("HTTP/1.1 200 OK\r\n", said)
            self.assertIn("At lunch", said)


def _undated(text: str) -> str:
    """An answer without how long ago something was."""
    return re.sub(r"\d+ seconds?", "some seconds", text)
