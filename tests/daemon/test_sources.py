"""The real daemon over directories that anyone can make, and other servers."""

from __future__ import annotations

from tests.daemon.sources import UNKNOWN, WithFolder, asked, over, refusing
from tests.support.daemon import TWISTD, needs
from tests.support.network import Network


class FileTests(WithFolder):
    """Directories that anyone can make, and other servers."""

    def setUp(self) -> None:
        super().setUp()
        self.users = self.file("users", "moshez:Happy and well\nradix:Writing\n")
        self.toml = self.file(
            "users.toml",
            '[glyph]\nname = "Glyph Lefkowitz"\nplan = "Twisted"\npublic_key = "ssh-ed25519 AA"\n'
            '[moshez]\nname = "Second"\n[exarkun]\nhidden = true\n',
        )

    def test_order(self) -> None:
        """The first directory that knows a user answers."""
        with over(f"file:{self.users}", f"toml:{self.toml}") as daemon:
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
