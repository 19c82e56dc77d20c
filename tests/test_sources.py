"""Every kind of directory through the real daemon, over real accounts, programs and servers."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.accounts import Accounts
from tests.daemon import PATIENCE, ROOT, TWISTD, Daemon, needs
from tests.network import Network
from tests.support import temporaryFolder

UNKNOWN = b"No such user\r\n"
FINGER = "exec:/usr/bin/finger"


def asked(*arguments: str, listen: str = "tcp:0:interface=127.0.0.1") -> tuple[str, ...]:
    """The arguments of a daemon that is asked and sets nothing."""
    return "-n", "--pidfile=", "finger", f"--listen={listen}", "--no-setter", *arguments


def over(*urls: str, options: tuple[str, ...] = (), asRoot: bool = False) -> Daemon:
    """A daemon with these directories."""
    return Daemon(*asked(*[f"--directory={url}" for url in urls], *options), asRoot=asRoot)


def inFingerd(case: SynchronousTestCase, *arguments: str) -> str:
    """The URL of Debian's in.fingerd, which runs until the test ends."""
    needs("in.fingerd", "finger")
    inetd = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/inetd.py"), "in.fingerd", *arguments],
        stdout=subprocess.PIPE,
    )
    assert inetd.stdout is not None
    case.addCleanup(inetd.stdout.close)
    case.addCleanup(inetd.wait)
    case.addCleanup(inetd.kill)
    return f"finger://127.0.0.1:{int(inetd.stdout.readline())}"


def refusing(case: SynchronousTestCase) -> str:
    """The URL of a server that is down."""
    holder = socket.socket()
    case.addCleanup(holder.close)
    holder.bind(("127.0.0.1", 0))
    return f"finger://127.0.0.1:{holder.getsockname()[1]}"


def ends(pid: int) -> bool:
    """Whether that process ends, in a time in which all do that were killed."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process) as file:
        ready, _, _ = select.select([file], [], [], PATIENCE)
    return bool(ready)


class AccountTests(Accounts):
    """The users of this machine, two of them made for the test."""

    def setUp(self) -> None:
        super().setUp()
        needs("finger")
        self.write(".plan", "To compute\n")
        self.login, self.other = self.ada.pw_name, self.eve.pw_name
        self.uids = f"min-uid={self.ada.pw_uid},max-uid={self.eve.pw_uid}"

    def test_accounts(self) -> None:
        """``passwd:`` shows finger(1) what finger(1) shows: name, office, project, plan."""
        self.write(".project", "The engine\nand more\n")
        command = [TWISTD, *asked(f"--directory=passwd:{self.uids}", listen="tcp:79")]
        with Network() as network, network.daemon(*command):
            shown = network.run("finger", f"{self.login}@localhost").decode()
            self.assertEqual(
                shown.splitlines(),
                [
                    f"{f'Login: {self.login}':40}Name: Ada Lovelace",
                    "Office: Room 1, 555 1234",
                    "Project: The engine",
                    "Plan:",
                    "To compute",
                ],
            )
            listed = network.run("finger", "@localhost").decode().splitlines()
            self.assertEqual(
                [line.split()[0] for line in listed], ["Login", self.login, self.other]
            )
            self.assertIn(b"No such user", network.run("finger", "root@localhost"))

    def test_nofinger(self) -> None:
        """Who has a ``.nofinger`` is, in every byte, unknown: over ``passwd:`` and ``exec:``."""
        self.write(".nofinger", "")
        for url in (f"passwd:{self.uids}", FINGER):
            with over(url, asRoot=True) as daemon:
                self.assertEqual(daemon.ask(f"{self.login}\n".encode()), UNKNOWN, url)
                self.assertIn(b"No Plan.", daemon.ask(f"{self.other}\n".encode()), url)
                self.assertNotIn(self.login.encode(), daemon.ask(b"\n"), url)

    def test_accountsInFile(self) -> None:
        """``passwd:FILE`` has the users of a file of that format, and no others."""
        file = temporaryFolder(self) / "passwd"
        file.parent.chmod(0o755)
        file.write_text("virtual:x:70000:70000:Vera Virtual,Room 2:/nonexistent:/bin/false\n")
        with over(f"passwd:{file}", asRoot=True) as daemon:
            self.assertIn(b"Name: Vera Virtual\r\nOffice: Room 2\r\n", daemon.ask(b"virtual\n"))
            self.assertEqual(daemon.ask(f"{self.login}\n".encode()), UNKNOWN)

    def test_program(self) -> None:
        """``exec:`` answers in the words of the real finger(1), and of no other user's."""
        with over(FINGER, asRoot=True) as daemon:
            said = daemon.ask(f"{self.login}\n".encode()).decode()
            self.assertRegex(said, rf"\ALogin: {self.login} +\t+Name: Ada Lovelace\r\n")
            self.assertTrue(said.endswith("Plan:\r\nTo compute\r\n"), said)
            for query in (b"Lovelace\n", b"-l\n", b"no-such-user\n", b"../passwd\n", b"$(id)\n"):
                self.assertEqual(daemon.ask(query), UNKNOWN, query)

    def test_inFingerd(self) -> None:
        """``finger://`` answers in the words of Debian's in.fingerd, and asks the next one."""
        with over(inFingerd(self), f"passwd:{self.uids}", asRoot=True) as daemon:
            said = daemon.ask(f"{self.login}\n".encode()).decode()
            self.assertRegex(said, rf"\ALogin: {self.login} +\t+Name: Ada Lovelace\r\n")
            self.assertEqual(daemon.ask(b"no-such-user\n"), UNKNOWN)

    def test_masked(self) -> None:
        """Masked and replaced is so over every directory: for one, with /W, and in lists."""
        options = (f"--mask={self.other}", "--replace=Lovelace=Byron", "--match")
        with over(f"passwd:{self.uids}", asRoot=True) as accounts:
            for url in (
                f"passwd:{self.uids}",
                FINGER,
                inFingerd(self),
                f"finger://localhost:{accounts.port}",
            ):
                with over(url, options=options, asRoot=True) as daemon:
                    for name in (self.other, self.other.title(), self.other.upper()):
                        for query in (f"{name}\n", f"/W {name}\n"):
                            self.assertEqual(daemon.ask(query.encode()), UNKNOWN, (url, query))
                    said = daemon.ask(f"{self.login}\n".encode())
                    self.assertIn(b"Name: Ada Byron\r\n", said, url)
                    for listing in (b"\n", b"/W\n"):
                        listed = daemon.ask(listing)
                        self.assertNotIn(self.other.encode(), listed, url)
                        self.assertNotIn(b"Lovelace", listed, url)
                        if url.endswith((self.uids, str(accounts.port))):
                            self.assertIn(b"Ada Byron", listed, url)

    def test_unmasked(self) -> None:
        """The same queries find that user where nothing is masked."""
        with over(f"passwd:{self.uids}", options=("--match",), asRoot=True) as accounts:
            for url in (f"passwd:{self.uids}", f"finger://localhost:{accounts.port}"):
                with over(url, options=("--match",), asRoot=True) as daemon:
                    for name in (self.other, self.other.title()):
                        said = daemon.ask(f"{name}\n".encode())
                        self.assertIn(f"Login: {self.other} ".encode(), said, (url, name))
                    self.assertIn(self.other.encode(), daemon.ask(b"\n"), url)

    def test_match(self) -> None:
        """``--match`` finds a user by any word of the full name, and only then is one found."""
        for options, found in (((), False), (("--match",), True)):
            with over(f"passwd:{self.uids}", options=options, asRoot=True) as daemon:
                for name in (b"lovelace\n", b"Ada\n"):
                    said = daemon.ask(name)
                    self.assertEqual(b"Name: Ada Lovelace" in said, found, said)
                self.assertEqual(daemon.ask(b"Love\n"), UNKNOWN)

    def test_fields(self) -> None:
        """The list and the users have the fields that are asked for, and no more."""
        options = ("--list-fields=office", "--user-fields=home-phone")
        with over(f"passwd:{self.uids}", options=options, asRoot=True) as daemon:
            heading, first, *_ = daemon.ask(b"\n").decode().splitlines()
            self.assertEqual(heading.split(), ["Login", "Name", "Office"])
            self.assertEqual(first.split(), [self.login, "Ada", "Lovelace", "Room", "1"])
            said = daemon.ask(f"{self.login}\n".encode())
            self.assertIn(b"Home Phone: 555 4321", said)
            self.assertNotIn(b"Room 1", said)
            self.assertNotIn(b"Plan", said)


class FileTests(SynchronousTestCase):
    """Directories that anyone can make, and other servers."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)
        self.folder.chmod(0o755)
        self.users = self.file("users", "moshez:Happy and well\nradix:Writing\n")
        self.toml = self.file(
            "users.toml",
            '[glyph]\nname = "Glyph Lefkowitz"\nplan = "Twisted"\npublic_key = "ssh-ed25519 AA"\n'
            '[moshez]\nname = "Second"\n[exarkun]\nhidden = true\n',
        )

    def file(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def program(self, text: str) -> str:
        return f"exec:{self.file('program', f'#!/bin/sh{chr(10)}{text}{chr(10)}', 0o755)}"

    def test_order(self) -> None:
        """The first directory that knows a user answers; ``--users`` is asked before all."""
        with over(f"toml:{self.toml}", options=(f"--users={self.users}",)) as daemon:
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
            self.assertIn(b"Name: Glyph Lefkowitz\r\nPlan:\r\nTwisted\r\n", daemon.ask(b"glyph\n"))
            self.assertEqual(daemon.ask(b"exarkun\n"), UNKNOWN)

    def test_list(self) -> None:
        """
        One list has all directories: users in one table, a program's and a server's own list
        each under its name, and where one failed what there is to say of that.
        """
        program = self.program('[ $# = 0 ] && echo "the program\'s list"')
        with over(f"file:{self.users}") as upstream:
            server, down = f"localhost:{upstream.port}", refusing(self)
            urls = [f"file:{self.users}", f"toml:{self.toml}", program, f"finger://{server}", down]
            with over(*urls) as daemon:
                listed = daemon.ask(b"\n").decode()
                self.assertRegex(
                    listed.replace("\r\n", "\n"),
                    r"\ALogin   Name             Status\n"
                    r"moshez                   Happy and well\n"
                    r"radix                    Writing\n"
                    r"glyph   Glyph Lefkowitz\n\n"
                    r"\[the program program\]\nthe program's list\n\n"
                    rf"\[{server}\]\nmoshez  Happy and well\nradix   Writing\n\n"
                    r"\[source 5\]\nInternal error in server\nReference: \w+\n\Z",
                )
                daemon.says(down)
                # Those before it that know a user answer; what it might have known is unknown.
                self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
                said = daemon.ask(b"itamar\n")
                self.assertTrue(said.startswith(b"Internal error in server\r\n"), said)

    def test_noList(self) -> None:
        """``--no-list`` refuses the list in the RFC's words, and users are still answered for."""
        with over(f"file:{self.users}", options=("--no-list",)) as daemon:
            for query in (b"\n", b"/W\n"):
                self.assertEqual(daemon.ask(query), b"Finger online user list denied\r\n")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")

    def test_severalNames(self) -> None:
        """An answer for several says whose each part is."""
        with (
            over(f"toml:{self.toml}") as upstream,
            over(f"file:{self.users}", f"finger://localhost:{upstream.port}") as daemon,
        ):
            said = daemon.ask(b"moshez glyph nobody\n").decode().replace("\r\n", "\n")
            self.assertRegex(
                said,
                r"\A\[moshez\]\nHappy and well\n\n\[glyph\]\nLogin: glyph .*(?s:.*)\n\n"
                r"\[nobody\]\nNo such user\n\Z",
            )

    def test_verbose(self) -> None:
        """``/W`` travels on to another server, and to a program as its ``-l``."""
        (self.folder / "bin").mkdir(mode=0o755)
        program = self.file("bin/finger", '#!/bin/sh\necho "$*"\n', 0o755)
        with (
            over(f"toml:{self.toml}") as upstream,
            over(f"finger://localhost:{upstream.port}") as daemon,
            over(f"exec:{program}") as executing,
        ):
            key = b"Public key:\r\nssh-ed25519 AA\r\n"
            self.assertNotIn(key, daemon.ask(b"glyph\n"))
            self.assertIn(key, daemon.ask(b"/W glyph\n"))
            self.assertNotIn(key, daemon.ask(b"\n"))
            self.assertIn(key, daemon.ask(b"/W\n"))
            self.assertEqual(executing.ask(b"glyph\n"), b"-m -- glyph\r\n")
            self.assertEqual(executing.ask(b"/W glyph\n"), b"-m -l -- glyph\r\n")

    def test_maskedInFull(self) -> None:
        """Nothing of a masked user is in the list that another server gives with ``/W``."""
        with (
            over(f"toml:{self.toml}") as upstream,
            over(f"finger://localhost:{upstream.port}", options=("--mask=glyph",)) as daemon,
        ):
            self.assertIn(b"Twisted", upstream.ask(b"/W\n"))
            listed = daemon.ask(b"/W\n")
            self.assertIn(b"Login: moshez", listed)
            for text in (b"glyph", b"Glyph", b"Twisted", b"ssh-ed25519"):
                self.assertNotIn(text, listed)

    def test_forward(self) -> None:
        """
        finger(1)'s ``user@there@here`` is forwarded to an address that is named, ``/W`` with it;
        not to one that isn't, not to this machine by a name for it, and never to ourselves.
        """
        needs("finger")
        here, there = "127.0.0.1", "127.0.0.2"
        options = [f"--forward={host}" for host in (there, here, "localhost")]
        with (
            Network() as network,
            network.daemon(
                *(
                    TWISTD,
                    *asked(f"--users={self.users}", *options, listen="tcp:79:interface=" + here),
                )
            ) as daemon,
            network.daemon(
                *(
                    TWISTD,
                    *asked(f"--directory=toml:{self.toml}", listen="tcp:79:interface=" + there),
                )
            ),
        ):
            said = network.run("finger", f"glyph@{there}@{here}")
            self.assertIn(b"Name: Glyph Lefkowitz", said)
            self.assertNotIn(b"Public key", said)
            self.assertIn(b"Public key", network.run("finger", "-l", f"glyph@{there}@{here}"))
            self.assertIn(b"Glyph Lefkowitz", network.run("finger", f"@{there}@{here}"))
            for host in ("127.0.0.3", here, "localhost", f"{there}@{there}@{there}"):
                said = network.run("finger", f"glyph@{host}@{here}")
                self.assertIn(b"Finger forwarding service denied", said, host)
            daemon.says(f"not forwarding to {here}: its address {here} is this daemon's own")

    def test_failingPrograms(self) -> None:
        """A program that fails in any way is said to have failed, never "no such user"."""
        for text, reason in (
            ("sleep 1000", "took longer than 4.0 seconds"),
            ("kill -SEGV $$", "was ended by SIGSEGV"),
            ("echo Secret; exit 3", "ended with exit status 3"),
            ("echo broken >&2", "had no answer, saying 'broken'"),
        ):
            with over(self.program(text)) as daemon:
                said = daemon.ask(b"moshez\n")
                self.assertTrue(said.startswith(b"Internal error in server\r\nRef"), (text, said))
                daemon.says(re.escape(reason))
                self.assertEqual(sum(reason in line for line in daemon.log), 1)
        with over(f"exec:{self.folder}/missing") as daemon:
            self.assertTrue(daemon.ask(b"moshez\n").startswith(b"Internal error in server\r\n"))
            daemon.says("can't be run: No such file or directory")

    def test_wildPrograms(self) -> None:
        """One that leaves its output to another process, or floods, has an answer all the same."""
        with over(self.program("sleep 1000 & echo $!")) as daemon:
            left = int(daemon.ask(b"moshez\n"))
            self.assertTrue(ends(left), "what it left behind is alive")
        with over(self.program("while :; do echo and so on; done")) as daemon:
            said = daemon.ask(b"moshez\n")
            self.assertTrue(said.startswith(b"and so on\r\n"))
            self.assertLessEqual(len(said), 262144)
