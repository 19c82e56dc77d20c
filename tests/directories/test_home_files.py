"""What is read from a home, and what isn't."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from fingerd.directories.accounts.home_files import openHome
from tests.support.accounts import Accounts, asRoot, lesserUser, noDescriptors

SIZE = 1000


class HomeFilesTests(Accounts):
    """Ada's home, looked at by somebody who is neither ada nor root."""

    def read(self, name: str = ".plan", path: str | None = None) -> str:
        """What is read of a file in ada's home."""
        with (
            lesserUser(),
            openHome(path or str(self.home), self.ada.pw_uid) as home,
        ):
            return home.read(name, SIZE)

    def hides(self) -> bool:
        """Whether ada is hidden."""
        with lesserUser(), openHome(str(self.home), self.ada.pw_uid) as home:
            return home.hides()

    def owned(self, path: Path, mode: int = 0o644) -> None:
        """Make something ada's, and readable."""
        os.chown(path, self.ada.pw_uid, self.ada.pw_gid, follow_symlinks=False)
        path.chmod(mode)

    def test_file(self) -> None:
        """A file of the user is read whole, up to the size that is allowed."""
        self.write(".plan", "Rest\nWrite\n")
        self.assertEqual(self.read(), "Rest\nWrite\n")
        self.write(".plan", "x" * SIZE)
        self.assertEqual(self.read(), "x" * SIZE)
        self.assertEqual(self.read(".project"), "")

    def test_notUTF8(self) -> None:
        """A file in an old character set is read with the letters in doubt marked."""
        self.write(".plan", b"Caf\xe9\n")
        self.assertEqual(self.read(), "Caf\ufffd\n")

    def test_huge(self) -> None:
        """A file that is too large is as if it weren't there, however little of it is data."""
        self.write(".plan", "x" * (SIZE + 1))
        self.assertEqual(self.read(), "")
        os.truncate(self.home / ".plan", 2**40)
        self.assertEqual(self.read(), "")

    def test_foreign(self) -> None:
        """A file of somebody else, root included, is as if it weren't there."""
        path = self.write(".plan", "Rest")
        for owner in (self.eve.pw_uid, 0):
            os.chown(path, owner, 0)
            self.assertEqual(self.read(), "")

    def test_hardLinks(self) -> None:
        """A hard link to another's file is another's; what is the user's may have two names."""
        secret = self.home.parent / "secret"
        self.addCleanup(secret.unlink)
        secret.write_text("Secret")
        os.link(secret, self.home / ".plan")
        self.assertEqual(self.read(), "")
        os.link(self.write("plan", "Rest"), self.home / ".project")
        self.assertEqual(self.read(".project"), "Rest")

    def test_symlinks(self) -> None:
        """A symbolic link is as if it weren't there, whatever it leads to."""
        self.write("plan", "Rest")
        for target in ("plan", "/etc/passwd", ".plan", "nothing", "/dev/zero"):
            link = self.home / ".plan"
            link.symlink_to(target)
            os.chown(link, self.ada.pw_uid, self.ada.pw_gid, follow_symlinks=False)
            self.assertEqual(self.read(), "")
            link.unlink()

    def test_notAFile(self) -> None:
        """A pipe, a socket, a directory or a device is as if it weren't there, at once."""

        def bind(path: Path) -> None:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))

        def device(path: Path) -> None:
            os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 5))

        path = self.home / ".plan"
        makes: list[Callable[[Path], object]] = [os.mkfifo, bind, Path.mkdir, device]
        for make in makes:
            make(path)
            self.owned(path, 0o755)
            self.assertEqual(self.read(), "")
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()

    def test_fullPipe(self) -> None:
        """Nothing is taken out of a pipe in which there is something to read."""
        path = self.home / ".plan"
        os.mkfifo(path)
        self.owned(path)
        with open(os.open(path, os.O_RDWR | os.O_NONBLOCK), "r+b", buffering=0) as pipe:
            pipe.write(b"Rest")
            self.assertEqual(self.read(), "")
            self.assertEqual(pipe.read(10), b"Rest")

    def test_unreadable(self) -> None:
        """A file that isn't for others to read is as if it weren't there."""
        self.write(".plan", "Rest", 0o600)
        self.assertEqual(self.read(), "")

    def test_lease(self) -> None:
        """A user who has a lease on a file doesn't keep anybody waiting for it."""
        path = self.write(".plan", "Rest")
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGIO, before)
        with open(path, "r+b") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            self.assertEqual(self.read(), "")
        self.assertEqual(self.read(), "Rest")

    def test_noHome(self) -> None:
        """In a home that isn't there, isn't a directory or can't be one, there is nothing."""
        self.write(".plan", "Rest")
        self.write("file", "x")
        for path in (
            str(self.home / "nothing"),
            str(self.home / "file"),
            "",
            "relative",
            f"{self.home}/../{self.home.name}",
            f"{self.home}/{'x' * 300}",
        ):
            self.assertEqual(self.read(path=path or "."), "")
        for path in (f"{self.home}/", f"{self.home}/.", f"/.//{self.home}//./"):
            self.assertEqual(self.read(path=path), "Rest")

    def test_closedHome(self) -> None:
        """In a home that others may not enter there is nothing; entering is enough."""
        self.write(".plan", "Rest")
        self.write(".nofinger", "")
        self.home.chmod(0o700)
        self.assertEqual(self.read(), "")
        self.assertFalse(self.hides())
        self.home.chmod(0o711)
        self.assertEqual(self.read(), "Rest")
        self.assertTrue(self.hides())

    def test_homeIsALink(self) -> None:
        """A home that is a link isn't followed; one that is reached through a link is read."""
        self.write(".plan", "Rest")
        moved = self.home.with_name("moved")
        self.addCleanup(shutil.rmtree, moved)
        self.home.rename(moved)
        self.home.symlink_to(moved)
        for path in (f"{self.home}", f"{self.home}/", f"{self.home}/."):
            self.assertEqual(self.read(path=path), "")
        link = self.home.with_name("link")
        self.addCleanup(link.unlink)
        link.symlink_to(self.home.parent)
        self.assertEqual(self.read(path=str(link / "moved")), "Rest")

    def test_foreignHome(self) -> None:
        """A home that belongs to somebody else is none; root may own the home of a chroot."""
        self.write(".plan", "Rest")
        self.write(".nofinger", "")
        os.chown(self.home, self.eve.pw_uid, 0)
        self.assertEqual(self.read(), "")
        self.assertFalse(self.hides())
        os.chown(self.home, 0, 0)
        self.assertEqual(self.read(), "Rest")
        self.assertTrue(self.hides())

    def test_homeIsMoved(self) -> None:
        """What takes the place of a home while it is read leads nowhere else."""
        self.write(".plan", "Rest")
        moved = self.home.with_name("moved")
        self.addCleanup(shutil.rmtree, moved)
        with openHome(str(self.home), self.ada.pw_uid) as home:
            self.home.rename(moved)
            self.home.symlink_to("/etc")
            with lesserUser():
                self.assertEqual(home.read(".plan", SIZE), "Rest")
                self.assertEqual(home.read("passwd", SIZE), "")

    def test_fileIsSwapped(self) -> None:
        """What takes the place of a file between two looks at it isn't read."""
        path = self.home / ".plan"
        secret = self.home.parent / "secret"
        self.addCleanup(secret.unlink)
        secret.write_text("Secret")
        swaps: list[Callable[[], object]] = [
            lambda: path.symlink_to(secret),
            lambda: path.symlink_to(self.write("other", "Other")),
            lambda: os.link(secret, path),
            lambda: os.mkfifo(path, 0o644),
            lambda: path.mkdir(0o755),
            lambda: self.write(".plan", "x" * (SIZE + 1)),
            lambda: None,
        ]
        original = os.open

        def opening(name: str | bytes, flags: int, dir_fd: int | None = None) -> int:
            if name == ".plan":
                with asRoot():
                    path.unlink()
                    swaps[0]()
                    if path.exists() and not path.is_symlink() and not path.samefile(secret):
                        self.owned(path, 0o755)
            return original(name, flags, dir_fd=dir_fd)

        while swaps:
            self.write(".plan", "Rest")
            patched = self.patch(os, "open", opening)
            self.assertEqual(self.read(), "")
            patched.restore()
            swaps.pop(0)
            if path.is_dir():
                path.rmdir()
            elif path.exists():
                path.unlink()

    def test_fileGrows(self) -> None:
        """A file that grows while it is read is as if it weren't there."""
        self.write(".plan", "x" * SIZE)
        original = os.read

        def reading(file: int, size: int) -> bytes:
            with asRoot(), open(self.home / ".plan", "ab") as plan:
                plan.write(b"x")
            return original(file, size)

        self.patch(os, "read", reading)
        self.assertEqual(self.read(), "")

    def test_hidden(self) -> None:
        """Anything that is called .nofinger hides its user."""
        self.assertFalse(self.hides())
        path = self.write(".nofinger", "", 0o000)
        self.assertTrue(self.hides())
        os.chown(path, 0, 0)
        self.assertTrue(self.hides())
        path.unlink()
        path.symlink_to("nothing")
        self.assertTrue(self.hides())

    def test_root(self) -> None:
        """Root reads nothing, not even what everybody may read; who is hidden stays hidden."""
        self.write(".plan", "Rest")
        with openHome(str(self.home), self.ada.pw_uid) as home:
            self.assertEqual(home.read(".plan", SIZE), "")
            self.assertFalse(home.hides())
            self.write(".nofinger", "")
            self.home.chmod(0o700)
            self.assertTrue(home.hides())

    def test_noDescriptors(self) -> None:
        """Without a descriptor left nothing is read, and that isn't taken for no files."""
        self.write(".plan", "Rest")
        path, uid = str(self.home), self.ada.pw_uid
        with lesserUser(), noDescriptors():
            error = self.assertRaises(OSError, openHome(path, uid).__enter__)
        self.assertEqual(error.errno, errno.EMFILE)
        with lesserUser(), openHome(path, uid) as home:
            self.assertEqual(home.read(".plan", SIZE), "Rest")
            with noDescriptors():
                error = self.assertRaises(OSError, home.read, ".plan", SIZE)
        self.assertEqual(error.errno, errno.EMFILE)

    def test_nothingStaysOpen(self) -> None:
        """However a file is looked at, no descriptor stays open."""
        before = os.listdir("/proc/self/fd")
        for make in (
            lambda: self.write(".plan", "Rest"),
            lambda: self.write(".plan", "x" * (SIZE + 1)),
            lambda: os.chown(self.home, self.eve.pw_uid, 0),
        ):
            make()
            self.read()
            self.hides()
        self.assertEqual(os.listdir("/proc/self/fd"), before)
