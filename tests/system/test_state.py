"""The state directory: made for the daemon's user, and nothing else given away."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from fingerd.model.errors import CannotStart
from fingerd.system.privileges import Identity
from fingerd.system.state_directory import defaultStateDirectory, makeStateDirectory

FILES = ("statuses.sqlite", "statuses.sqlite-wal")
# Of no account on any system.
SERVICE, OTHER = Identity(64001, 64101), Identity(64002, 64102)
PRESENT = Identity(None, None)


def owner(path: str) -> tuple[int, int]:
    """The user and the group of a file, or of a link itself."""
    info = os.lstat(path)
    return info.st_uid, info.st_gid


def mode(path: str) -> int:
    """The permissions."""
    return stat.S_IMODE(os.stat(path).st_mode)


class StateCase(SynchronousTestCase):
    """Has a path for a state directory, below one that belongs to nobody else."""

    def setUp(self) -> None:
        self.home = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home)
        os.chmod(self.home, 0o755)
        self.state = os.path.join(self.home, "state")

    def file(self, *names: str) -> str:
        path = os.path.join(self.state, *names)
        with open(path, "w") as file:
            file.write("something")
        return path

    def refused(self, by: Identity, path: str | None = None) -> str:
        """The reason why that user doesn't get the directory."""
        path = path or self.state
        error = self.assertRaises(CannotStart, makeStateDirectory, path, FILES, by)
        line = str(error)
        self.assertTrue(line.startswith(f"can't use the state directory {path}: "), line)
        self.assertNotIn("\n", line)
        return line.partition(f"{path}: ")[2]


class OwnTests(StateCase):
    """A daemon that stays the user it is."""

    def test_made(self) -> None:
        """The directory is made, with what leads to it, and is for its user alone."""
        path = os.path.join(self.home, "a", "b", "state")
        makeStateDirectory(path, FILES, PRESENT)
        self.assertEqual(mode(path), 0o700)
        self.assertEqual(owner(path)[0], os.geteuid())

    def test_there(self) -> None:
        """One that is there is used as it is, with what is in it."""
        os.mkdir(self.state, 0o755)
        path = self.file("statuses.sqlite")
        self.file("something else")
        makeStateDirectory(self.state, FILES, PRESENT)
        self.assertEqual(mode(self.state), 0o755)
        with open(path) as file:
            self.assertEqual(file.read(), "something")

    def test_notADirectory(self) -> None:
        """A file in its place is refused."""
        with open(self.state, "w"):
            pass
        self.assertEqual(
            self.refused(PRESENT), "Not a directory; move that file away, or name another directory"
        )

    def test_everyones(self) -> None:
        """One that everyone may write to is refused."""
        os.mkdir(self.state)
        os.chmod(self.state, 0o777)
        self.assertEqual(self.refused(PRESENT), "everyone may write to it")

    def test_default(self) -> None:
        """It is where such things are: /var/lib for root, below the home directory for others."""
        path = defaultStateDirectory()
        if os.geteuid() == 0:
            self.assertEqual(path, "/var/lib/fingerd")
        self.patch(os, "geteuid", lambda: 1000)
        self.patch(os, "environ", {"HOME": "/home/moshez", "XDG_STATE_HOME": "/elsewhere"})
        self.assertEqual(defaultStateDirectory(), "/elsewhere/fingerd")
        # What is not absolute is to be ignored, as the XDG specification has it.
        for ignored in ("", "relative"):
            os.environ["XDG_STATE_HOME"] = ignored
            self.assertEqual(defaultStateDirectory(), "/home/moshez/.local/state/fingerd")


class HandingOverTests(StateCase):
    """A daemon that root starts, and that becomes a lesser user."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            raise SkipTest("only root can hand a directory over")

    @contextmanager
    def being(self, identity: Identity) -> Iterator[None]:
        """For that long, be that user to the file system."""
        assert identity.uid is not None
        assert identity.gid is not None
        os.setegid(identity.gid)
        os.seteuid(identity.uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)

    def test_made(self) -> None:
        """The directory is made and handed to the lesser user, who can write to it."""
        makeStateDirectory(self.state, FILES, SERVICE)
        self.assertEqual((mode(self.state), owner(self.state)), (0o700, tuple(SERVICE)))
        with self.being(SERVICE):
            self.file("statuses.sqlite")
            # Not root any more: nothing is left to hand over.
            makeStateDirectory(self.state, FILES, PRESENT)
        makeStateDirectory(self.state, FILES, SERVICE)

    def test_rootsOwn(self) -> None:
        """What root made, or a root daemon wrote, is handed over: the directory and the files."""
        os.mkdir(self.state, 0o755)
        paths = [self.file(name) for name in FILES]
        makeStateDirectory(self.state, FILES, SERVICE)
        self.assertEqual(mode(self.state), 0o700)
        for path in (self.state, *paths):
            self.assertEqual(owner(path), tuple(SERVICE))

    def test_restored(self) -> None:
        """A backup that root put into the lesser user's directory is handed over."""
        makeStateDirectory(self.state, FILES, SERVICE)
        path, note = self.file("statuses.sqlite"), self.file("note")
        makeStateDirectory(self.state, FILES, SERVICE)
        self.assertEqual(owner(path), tuple(SERVICE))
        # Not the daemon's: not given away.
        self.assertEqual(owner(note), (0, 0))

    def test_gone(self) -> None:
        """A file that another daemon takes away meanwhile needn't be handed over."""
        makeStateDirectory(self.state, FILES, SERVICE)
        kept, going = (self.file(name) for name in FILES)
        list_ = os.listdir

        def listThenTakeAway(directory: int) -> list[str]:
            names = list_(directory)
            os.unlink(going)
            return names

        self.patch(os, "listdir", listThenTakeAway)
        makeStateDirectory(self.state, FILES, SERVICE)
        self.assertEqual(owner(kept), SERVICE)

    def test_otherThings(self) -> None:
        """A directory of root's with other things in it, such as /etc, is not given away."""
        os.mkdir(self.state, 0o755)
        self.file("passwd")
        self.assertIn("other things are in it", self.refused(SERVICE))
        self.assertEqual((mode(self.state), owner(self.state)), (0o755, (0, 0)))

    def test_foreign(self) -> None:
        """A directory of another user's is refused, to root and to the lesser user."""
        os.mkdir(self.state, 0o700)
        os.chown(self.state, *OTHER)  # type: ignore[arg-type]
        self.assertEqual(self.refused(SERVICE), "it is uid 64002's, and the daemon is uid 64001")
        self.assertEqual(self.refused(PRESENT), "it is uid 64002's, and the daemon is uid 0")
        self.assertEqual(owner(self.state), tuple(OTHER))

    def test_link(self) -> None:
        """A symbolic link in the directory's place is not followed."""
        target = os.path.join(self.home, "target")
        os.mkdir(target)
        os.symlink(target, self.state)
        self.assertEqual(self.refused(SERVICE), "it is a symbolic link")
        self.assertEqual(owner(target), (0, 0))
        # systemd makes such a link for a daemon that never was root.
        os.chown(target, *SERVICE)  # type: ignore[arg-type]
        with self.being(SERVICE):
            makeStateDirectory(self.state, FILES, PRESENT)

    def test_linkedFile(self) -> None:
        """A link in a file's place, which the lesser user may have made, is not followed."""
        makeStateDirectory(self.state, FILES, SERVICE)
        target = os.path.join(self.home, "shadow")
        with open(target, "w"):
            pass
        path = os.path.join(self.state, "statuses.sqlite")
        os.symlink(target, path)
        self.assertEqual(
            self.refused(SERVICE), "statuses.sqlite in it: Too many levels of symbolic links"
        )
        os.unlink(path)
        os.link(target, path)
        self.assertEqual(
            self.refused(SERVICE), "statuses.sqlite in it is no ordinary file with one name"
        )
        self.assertEqual(owner(target), (0, 0))

    def test_strangeFile(self) -> None:
        """A FIFO, a socket or a directory in a file's place is refused, and waits for nobody."""
        makeStateDirectory(self.state, FILES, SERVICE)
        path = os.path.join(self.state, "statuses.sqlite-wal")
        os.mkfifo(path)
        self.assertIn("no ordinary file", self.refused(SERVICE))
        os.unlink(path)
        os.mkdir(path)
        self.assertIn("no ordinary file", self.refused(SERVICE))
        os.rmdir(path)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
        self.refused(SERVICE)
        self.assertEqual(owner(path), (0, 0))

    def test_foreignFile(self) -> None:
        """A file of another user's is refused."""
        makeStateDirectory(self.state, FILES, SERVICE)
        os.chown(self.file("statuses.sqlite"), *OTHER)  # type: ignore[arg-type]
        self.assertEqual(
            self.refused(SERVICE),
            "statuses.sqlite in it is uid 64002's, and the daemon is uid 64001",
        )

    def test_linkBelowAnother(self) -> None:
        """A user's link among the parents doesn't lead root to give away something else."""
        theirs, victim = os.path.join(self.home, "theirs"), os.path.join(self.home, "victim")
        os.makedirs(os.path.join(victim, "state"))
        os.mkdir(theirs)
        os.symlink(victim, os.path.join(theirs, "link"))
        os.chown(theirs, *OTHER)  # type: ignore[arg-type]
        refused = self.refused(SERVICE, os.path.join(theirs, "link", "state"))
        self.assertEqual(refused, f"{theirs} is uid 64002's, not root's")
        self.assertEqual(owner(os.path.join(victim, "state")), (0, 0))
        self.refused(SERVICE, os.path.join(theirs, "link", "new", "state"))
        self.assertEqual(os.listdir(victim), ["state"])

    def test_groupOfOthers(self) -> None:
        """Nor may a group of others move a parent away."""
        middle = os.path.join(self.home, "middle")
        os.mkdir(middle)
        os.chown(middle, 0, OTHER.gid or 0)
        os.chmod(middle, 0o775)
        refused = self.refused(SERVICE, os.path.join(middle, "state"))
        self.assertEqual(refused, f"others than root may write to {middle}")

    def test_parents(self) -> None:
        """A directory below one that others could move away is refused."""
        middle = os.path.join(self.home, "middle")
        os.mkdir(middle)
        path = os.path.join(middle, "state")
        os.chown(middle, *OTHER)  # type: ignore[arg-type]
        self.assertEqual(self.refused(SERVICE, path), f"{middle} is uid 64002's, not root's")
        os.chown(middle, 0, 0)
        os.chmod(middle, 0o777)
        self.assertEqual(self.refused(SERVICE, path), f"others than root may write to {middle}")
        self.assertEqual(os.listdir(middle), [])
        os.chmod(middle, 0o1777)
        makeStateDirectory(path, FILES, SERVICE)
