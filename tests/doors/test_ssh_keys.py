"""Lines of authorized_keys, the host key, and commands: what the ssh door reads."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from twisted.conch.ssh.keys import Key

from fingerd.doors.ssh.authorized_keys import keyIn, keysIn
from fingerd.doors.ssh.host_key import hostKey, namedHostKey
from fingerd.doors.ssh.ssh_commands import Wanted, parse
from fingerd.model.errors import CannotStart
from fingerd.model.record import YES, Part
from fingerd.system.state_directory import HOST_KEY
from tests.support.ssh import makeKey


def line(key: Key) -> str:
    """The key's line, without a comment."""
    text: str = key.public().toString("openssh").decode()
    return text.strip()


# The same in each process that runs tests: they are in the tests' names.
ED25519 = Key(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
ECDSA = Key(ec.derive_private_key(1, ec.SECP256R1()))
SHORT_RSA = Key(rsa.RSAPublicNumbers(65537, (1 << 1023) + 1).public_key())
PLAIN = line(ED25519)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"{PLAIN} moshez@example.com",
        f"{PLAIN}   two words  ",
        f"restrict {PLAIN}",
        f"no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding,NO-USER-RC {PLAIN} me",
    ],
)
def test_aKey(text: str) -> None:
    """A line is a key, whatever its comment, and whatever it forbids that nobody can do here."""
    assert keyIn(text) == ED25519.public()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'command="fortune" {PLAIN}', "the option command"),
        (f'no-pty,from="192.0.2.1,10.0.0.0/8" {PLAIN}', "the option from"),
        (f'from="say \\"hi\\" {PLAIN}" {PLAIN}', "the option from"),
        (f'expiry-time="20200101" {PLAIN}', "the option expiry-time"),
        (f"cert-authority {PLAIN}", "the option cert-authority"),
        (f"verify-required {PLAIN}", "the option verify-required"),
        (f"pty {PLAIN}", "the option pty"),
        (f'restrict="yes" {PLAIN}', "the option restrict"),
        (f'from="unended {PLAIN}', "no key"),
        (PLAIN.split(maxsplit=1)[1], "no key"),
        (PLAIN.replace("ssh-ed25519", "ssh-rsa"), "isn't of the kind"),
        (PLAIN[:-20], "no key"),
        ("ssh-ed25519", "no key"),
        ("ssh-ed25519 ====", "no key"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACBAJ", "a kind of key"),
        ("sk-ssh-ed25519@openssh.com AAAAGnNrLXNza", "a kind of key"),
        ("ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1l", "a kind of key"),
        (line(SHORT_RSA), "an RSA key has 2048"),
        ("moshez", "no key"),
    ],
)
def test_noKey(text: str, reason: str) -> None:
    """A key that is good for more than its line says, or none that can be taken, doesn't count."""
    with pytest.raises(ValueError, match=reason):
        keyIn(text)


def test_lines() -> None:
    """Blank lines and comments are nothing, and a line that makes no sense costs no other."""
    found = list(keysIn(f"# mine\n\n{PLAIN}\r\nnonsense\n   {line(ECDSA)}\n"))
    assert found == [ED25519.public(), "line 4: no key", ECDSA.public()]


def test_oneKey() -> None:
    """Where one key is looked for, other lines aren't read."""
    text = f'nonsense\n{line(ECDSA)}\n{PLAIN}\nfrom="x" {PLAIN}\n'
    found = list(keysIn(text, ED25519.blob()))
    assert found == [ED25519.public(), "line 4: a key with the option from isn't taken"]


@given(st.text() | st.binary().map(lambda data: f"ssh-ed25519 {b64encode(data).decode()}"))
def test_anyLines(text: str) -> None:
    """Whatever is in the file, reading it never fails."""
    assert all(isinstance(found, str) for found in keysIn(text))


class HostKeyTests(TestCase):
    """The host key, in a state directory."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = Path(folder.name)
        self.path = self.state / HOST_KEY

    def test_made(self) -> None:
        """It is made once, and nobody but the daemon may read it, whatever the umask."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        key = hostKey(str(self.state))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(hostKey(str(self.state)), key)
        self.assertEqual([path.name for path in self.state.iterdir()], [HOST_KEY])

    def test_readByOthers(self) -> None:
        """A key that others may read is none."""
        hostKey(str(self.state))
        self.path.chmod(0o640)
        with self.assertRaisesRegex(CannotStart, "others may read it; chmod 600"):
            hostKey(str(self.state))

    def test_damaged(self) -> None:
        """One that is damaged, or of another kind, ends the start, and stays as it is."""
        another = Key(ec.generate_private_key(ec.SECP256R1())).toString("openssh")
        for text in (b"", b"nonsense", another):
            self.path.write_bytes(text)
            self.path.chmod(0o600)
            with self.assertRaisesRegex(CannotStart, f"can't use the host key {self.path}: it is"):
                hostKey(str(self.state))
            self.assertEqual(self.path.read_bytes(), text)

    def test_link(self) -> None:
        """A link that stands in its place is not followed, and nothing is made where it leads."""
        self.path.symlink_to(self.state / "elsewhere")
        with self.assertRaises(CannotStart):
            hostKey(str(self.state))
        self.assertFalse((self.state / "elsewhere").exists())


class NamedHostKeyTests(TestCase):
    """The host key, in a file that the administrator names."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "key"

    def refusal(self) -> str:
        """Why it can't be used."""
        with self.assertRaises(CannotStart) as refused:
            namedHostKey(str(self.path))
        return str(refused.exception)

    def test_named(self) -> None:
        """It is as ssh-keygen makes it, and may be where a link leads."""
        makeKey(self.path.parent, "key")
        key = namedHostKey(str(self.path))
        other = self.path.with_name("other")
        other.symlink_to(self.path)
        self.assertEqual(namedHostKey(str(other)), key)
        self.path.chmod(0o644)
        self.assertIn("others may read it; chmod 600", self.refusal())

    def test_missing(self) -> None:
        """Where there is none, none is made: it would be this machine's alone."""
        self.assertIn(f"make it with: ssh-keygen -t ed25519 -N '' -f {self.path}", self.refusal())
        self.assertFalse(self.path.exists())
        makeKey(self.path.parent, "key", "-t", "ecdsa")
        self.assertIn("it is no ed25519 key", self.refusal())


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (b"At lunch", Wanted("set", "At lunch")),
        (b"  At lunch ", Wanted("set", "At lunch")),
        (b"--for 2h At lunch", Wanted("set", "At lunch", 7200)),
        (b"set --for 1h30m At  lunch", Wanted("set", "At  lunch", 5400)),
        (b"set show", Wanted("set", "show")),
        (b"set set", Wanted("set", "set")),
        (b"set undo", Wanted("set", "undo")),
        (b"set --quietly", Wanted("set", "--quietly")),
        (b"show me the way", Wanted("set", "show me the way")),
        (b"Plan to be back", Wanted("set", "Plan to be back")),
        ("José".encode(), Wanted("set", "José")),
        (b"-", Wanted("set", reads=True)),
        (b"--for 2h -", Wanted("set", "", 7200, reads=True)),
        (b"show", Wanted("show")),
        (b"clear", Wanted("set")),
        (b"plan", Wanted("set", reads=True, part=Part.PLAN)),
        (b"plan clear", Wanted("set", part=Part.PLAN)),
        (b"plan to be back", Wanted("set", "plan to be back")),
        (b"project A web server", Wanted("set", "A web server", part=Part.PROJECT)),
        (b"project clear", Wanted("set", part=Part.PROJECT)),
        (b"hide", Wanted("set", YES, part=Part.HIDDEN)),
        (b"unhide", Wanted("set", part=Part.HIDDEN)),
        (b"hide 2h", Wanted("set", YES, 7200, part=Part.HIDDEN)),
        (b"public-history 1d", Wanted("set", YES, 86400, part=Part.PUBLIC_HISTORY)),
        (b"plan ahead", Wanted("set", "plan ahead")),
        (b"hide and seek", Wanted("set", "hide and seek")),
        (b" undo ", Wanted("undo")),
        (b"erase", Wanted("erase")),
        (b"history", Wanted("history")),
        (b"history repeats itself", Wanted("set", "history repeats itself")),
        (b"public-history", Wanted("set", YES, part=Part.PUBLIC_HISTORY)),
        (b"private-history", Wanted("set", part=Part.PUBLIC_HISTORY)),
        (b"", Wanted("help")),
        (b"--help", Wanted("help")),
        (b"scp is an old program", Wanted("set", "scp is an old program")),
    ],
)
def test_command(command: bytes, wanted: Wanted) -> None:
    """A command is a verb where it stands alone, and else a status."""
    assert parse(command) == wanted


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (b"\xff", "UTF-8"),
        (b"--for 2h", "--for takes"),
        (b"set --for x y", "is a time such as"),
        (b"--fro 2h Lunch", "there is no option --fro"),
        (b"set", "set takes a status"),
        (b"set  ", "set takes a status"),
        (b"scp -t /tmp/x", "no files are copied"),
        (b"status", "status is no command here"),
        (b" quit ", "say set quit"),
        (b"scp -v -f x", "no files are copied"),
        (b"hide now", "is a time such as"),
        (b"show moshez", "show stands alone"),
        (b"erase everything", "say set erase everything"),
        (b"undo 2h", "undo stands alone"),
        (b"/bin/sh", "no programs are run"),
        (b"sh", "no programs are run"),
        (b"python3 -c 1", "no programs are run"),
        (b"internal-sftp", "no programs are run"),
        (b"rsync --server -e.LsfxC . x", "no files are copied"),
        (b"git-upload-pack 'x.git'", "no files are copied"),
        (b"test -x /usr/lib/sftp-server\nexec sftp-server", "by standard input: set -"),
    ],
)
def test_noCommand(command: bytes, reason: str) -> None:
    """What makes no sense, or would start another program, is no status."""
    with pytest.raises(ValueError, match=reason):
        parse(command)


@given(st.binary() | st.text().map(str.encode))
def test_anyCommand(command: bytes) -> None:
    """No bytes fail otherwise than in words for the user."""
    try:
        parse(command)
    except ValueError as error:
        assert str(error)
