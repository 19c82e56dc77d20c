"""The TOML file as a directory: it is read, and read again when it has changed."""

from __future__ import annotations

import tempfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from fingerd.directories.toml_file import TomlFile, fromURL
from fingerd.model.errors import CannotStart
from fingerd.model.limits import Limits
from fingerd.model.user import HIDDEN, User
from tests.directories.test_watched_file import FileCase
from tests.support.ports import TurnClock


class TomlFileTests(FileCase):
    """Reading a TOML file, and reading it again."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = TurnClock()
        self.path.write_bytes(b"[moshez]\nstatus = 'Happy'\n")

    def start(self) -> TomlFile:
        """The directory, as a running daemon has it."""
        limits = Limits(reloadSlice=0.0)
        users = TomlFile(str(self.path), self.clock, limits, now=lambda: self.now)
        users.startService()
        self.addCleanup(users.stopService)
        return users

    def reload(self, users: TomlFile) -> list[int]:
        """Look for changes, and read until that is done; how many users there were meanwhile."""
        done = users.reload()
        counts = []
        while not done.called:
            counts.append(len(users))
            self.clock.turn()
        return counts

    def test_users(self) -> None:
        """It has the users of its file, in the order of the file, but those who are hidden."""
        self.path.write_bytes(
            b"[radix]\nname = 'Chris'\n[root]\nhidden = true\n[moshez]\nstatus = 'Happy'\n"
        )
        users = self.start()
        self.assertEqual(
            self.successResultOf(users.getUsers(10)),
            [User("radix", name="Chris"), User("moshez", status="Happy")],
        )
        self.assertEqual(len(users), 2)
        self.assertIs(self.successResultOf(users.getUser("root")), HIDDEN)
        self.assertIsNone(self.successResultOf(users.getUser("nobody")))
        self.assertEqual(self.said(), [])

    def test_sshKeys(self) -> None:
        """SSH keys are a list or a text, of one who isn't hidden, and no part of the user."""
        self.path.write_bytes(
            b"[a]\nssh-keys = ['one', 'two']\n[b]\nssh_keys = \"one\\ntwo\"\nstatus = 'Here'\n"
            b"[c]\nstatus = 'There'\n[d]\nssh-keys = ['one']\nhidden = true\n"
        )
        users = self.start()
        self.assertEqual([users.keysOf(login) for login in "abcde"], ["one\ntwo"] * 2 + [""] * 3)
        self.assertEqual(users.held("a"), User("a"))
        self.assertEqual(users.held("b"), User("b", status="Here"))

    def test_sshKeysThatAreNone(self) -> None:
        """What isn't text, or is there twice, is no key, and its user is skipped."""
        self.path.write_bytes(
            b"[a]\nssh-keys = [1]\n[b]\nssh-keys = 'x'\nssh_keys = 'y'\n[c]\nssh-keys = true\n"
        )
        users = self.start()
        self.assertEqual([users.keysOf(login) for login in "abc"], [""] * 3)
        self.assertEqual(
            self.said(),
            [
                f"{self.path}, user 'a': ssh_keys is not a text: skipped",
                f"{self.path}, user 'b': ssh_keys is there twice: skipped",
                f"{self.path}, user 'c': ssh_keys is not a text: skipped",
            ],
        )

    def test_skipped(self) -> None:
        """A user who is skipped is said to be so, and the others are served."""
        self.path.write_bytes(b"[a]\nfoo = 1\n[moshez]\nstatus = 'Happy'\n[-]\n")
        users = self.start()
        self.assertEqual(self.status(users), "Happy")
        self.assertEqual(
            self.said(),
            [
                f"{self.path}, user 'a': unknown key 'foo': skipped",
                f"{self.path}, user '-': no user can be called that: skipped",
            ],
        )

    def test_manySkipped(self) -> None:
        """A thousand users who are skipped don't fill the log."""
        self.path.write_bytes(b"".join(b"[a%d]\nfoo = 1\n" % n for n in range(1000)))
        self.start()
        said = self.said()
        self.assertEqual(len(said), 11)
        self.assertEqual(said[-1], f"{self.path}: 1000 users skipped")

    def test_cantStart(self) -> None:
        """A daemon whose file isn't TOML doesn't start, and says where."""
        self.path.write_bytes(b"[moshez]\nstatus Happy\n")
        error = self.assertRaises(CannotStart, self.start)
        self.assertEqual(
            str(error),
            f"can't read the users file {self.path}: "
            "Expected '=' after a key in a key/value pair (at line 2, column 8)",
        )
        self.path.unlink()
        error = self.assertRaises(CannotStart, self.start)
        self.assertIn("No such file", str(error))

    @given(st.binary(max_size=100))
    def test_anyFile(self, data: bytes) -> None:
        """A file with any bytes in it is read, or the reason why not is given in words."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            users = TomlFile(file.name, Clock())
            try:
                users.startService()
            except CannotStart as error:
                self.assertTrue(str(error).isprintable())
            else:
                users.stopService()

    def test_change(self) -> None:
        """A change is taken over: who is new, who is gone, and who is hidden now."""
        users = self.start()
        self.path.write_bytes(b"[radix]\nstatus = 'Writing'\n[moshez]\nhidden = true\n")
        self.reload(users)
        self.assertIs(self.successResultOf(users.getUser("moshez")), HIDDEN)
        self.assertEqual(self.status(users, "radix"), "Writing")
        self.path.write_bytes(b"[moshez]\nstatus = 'Back'\n")
        self.reload(users)
        self.assertEqual(self.status(users), "Back")
        self.assertIsNone(self.status(users, "radix"))
        self.assertEqual(self.said(), [])

    def test_manyUsers(self) -> None:
        """Many users are read in many turns; until they are all there the old ones stay."""
        users = self.start()
        many = 3000
        self.path.write_bytes(
            b"".join(b"[u%d]\nplan = '''\n[u%d]\n%d'''\n" % (n, n, n) for n in range(many))
        )
        counts = self.reload(users)
        self.assertGreater(len(counts), 10)
        self.assertLessEqual(set(counts), {1, many})
        self.assertEqual(len(users), many)
        user = self.successResultOf(users.getUser(f"u{many - 1}"))
        self.assertEqual(user, User(f"u{many - 1}", plan=f"[u{many - 1}]\n{many - 1}"))

    def test_notTOML(self) -> None:
        """A file that isn't TOML any more keeps its users; it is said once, and where."""
        users = self.start()
        self.path.write_bytes(b"[moshez]\nstatus Busy\n")
        for _ in range(3):
            self.reload(users)
        self.assertEqual(self.status(users), "Happy")
        self.assertEqual(
            self.said(),
            [
                f"{self.path} can't be read (Expected '=' after a key in a key/value pair "
                "(at line 2, column 8)): the users read before (1) stay"
            ],
        )
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        self.reload(users)
        self.assertEqual(self.status(users), "Busy")

    def test_fromURL(self) -> None:
        """``toml:/etc/fingerd/users.toml`` is the file with that path."""
        self.assertEqual(
            str(fromURL("/etc/fingerd/users.toml", Clock())), "/etc/fingerd/users.toml"
        )
        self.assertRaises(ValueError, fromURL, "", Clock())
