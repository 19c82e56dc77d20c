"""``fingerd-state``, as an administrator runs it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.limits import DEFAULTS
from fingerd.stores.database import NAME, Database
from fingerd.system.state_directory import HOST_KEY
from tests.support.daemon import (
    AS_NOBODY,
    IS_ROOT,
    NOBODY,
    PATIENCE,
    Daemon,
    needsRoot,
)

STATE = str(Path(sys.executable).with_name("fingerd-state"))
CHECK = str(Path(sys.executable).with_name("fingerd-check"))


class StateProgramTests(SynchronousTestCase):
    """State directories and backups."""

    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home)
        self.home.chmod(0o755)
        self.users = self.home / "users"
        self.users.write_text("moshez:Happy\nshawn:Busy\n")
        self.state, self.other = self.home / "state", self.home / "other"
        self.backup = self.home / "backup"
        if not IS_ROOT:
            return
        # The daemon's own, as it would be under systemd; elsewhere only root may write.
        self.state.mkdir(0o700)
        os.chown(self.state, NOBODY, NOBODY)

    def daemon(self, state: Path, asRoot: bool = False) -> Daemon:
        """A daemon on a state directory."""
        ports = "--listen=tcp:0:interface=127.0.0.1", "--setter=tcp:0:interface=127.0.0.1"
        options = f"--users={self.users}", f"--state={state}"
        return Daemon("-n", "--pidfile=", "finger", *ports, *options, asRoot=asRoot)

    def written(self) -> None:
        """A daemon has been there, and moshez has set a status."""
        self.state.mkdir(0o700, exist_ok=True)
        with closing(Database(str(self.state), DEFAULTS).open()) as database:
            database.execute(
                "INSERT INTO statuses (login, status, set_at, set_by) VALUES (?, ?, ?, ?)",
                ("moshez", "Writing", 1000.0, "uid 0 (root)"),
            )
            database.commit()
        if IS_ROOT:
            for each in self.state.iterdir():
                os.chown(each, NOBODY, NOBODY)

    def run_(self, *words: object, prefix: tuple[str, ...] = ()) -> tuple[int, str, str]:
        """The status it ends with, and what it prints and complains of."""
        done = subprocess.run(
            [*prefix, STATE, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd="/",
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def refused(self, *words: object, prefix: tuple[str, ...] = ()) -> str:
        """The line in which it refuses something."""
        status, said, complaint = self.run_(*words, prefix=prefix)
        self.assertEqual((status, said), (1, ""), complaint)
        self.assertRegex(complaint, r"\Afingerd-state: [^\n]+\n\Z")
        return complaint

    def test_backUp(self) -> None:
        """
        While the daemon runs, what is set is backed up; restored, it shows at a daemon which finds
        it as its own.
        """
        with self.daemon(self.state) as daemon:
            self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
            self.assertEqual(
                self.run_("backup", self.state, self.backup),
                (0, f"{self.backup} has what was in {self.state}: 1 entry of 1 user\n", ""),
            )
            self.assertEqual(daemon.set("moshez", "Reading"), b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Reading\r\n")
        made = self.backup.stat()
        self.assertEqual((made.st_uid, stat.S_IMODE(made.st_mode)), (os.geteuid(), 0o600))
        self.assertEqual(self.run_("restore", self.backup, self.other)[::2], (0, ""))
        with self.daemon(self.other, asRoot=True) as daemon:
            self.assertEqual(daemon.ask(b"moshez\n"), b"Writing\r\n")
            self.assertEqual(daemon.set("shawn", "Reading"), b"OK\r\n")

    def test_ownership(self) -> None:
        """Whatever root does with it, a state belongs to the daemon's user."""
        needsRoot()
        with self.daemon(self.state) as daemon:
            daemon.set("moshez", "Writing")
            self.run_("backup", self.state, self.backup)
            self.assertEqual({each.stat().st_uid for each in self.state.iterdir()}, {NOBODY})
        self.assertEqual(self.run_("copy", self.state, self.other)[::2], (0, ""))
        for state in (self.state, self.other):
            self.assertEqual(
                {(each.stat().st_uid, each.stat().st_gid) for each in (state, *state.iterdir())},
                {(NOBODY, NOBODY)},
            )
        self.assertEqual(stat.S_IMODE(self.other.stat().st_mode), 0o700)

    def test_userWithoutAName(self) -> None:
        """A state may be of a user whom systemd has made for as long as the daemon runs."""
        needsRoot()
        self.written()
        private = self.home / "private"
        private.mkdir(0o700)
        hidden = private / "state"
        shutil.move(self.state, hidden)
        for each in (hidden, *hidden.iterdir()):
            os.chown(each, 64999, 64999)
        self.state.symlink_to(hidden)
        self.assertEqual(self.run_("backup", self.state, self.backup)[::2], (0, ""))
        self.assertEqual({each.stat().st_uid for each in hidden.iterdir()}, {64999})

    def test_rootsOwn(self) -> None:
        """The state of a daemon that stays root is read by root; and --user says who else."""
        needsRoot()
        self.written()
        for each in (self.state, *self.state.iterdir()):
            os.chown(each, 0, 0)
        self.assertEqual(self.run_("backup", self.state, self.backup)[::2], (0, ""))
        as_ = "--user=nobody"
        self.assertEqual(self.run_(as_, "restore", self.backup, self.other)[::2], (0, ""))
        self.assertEqual({each.stat().st_uid for each in self.other.iterdir()}, {NOBODY})

    def test_linkInAState(self) -> None:
        """A link that the daemon's user has made in its state lets root read no file as root."""
        needsRoot()
        self.written()
        self.run_("backup", self.state, self.backup)
        rest = self.home / "root"
        self.state.rename(rest)
        for each in (rest, *rest.iterdir()):
            os.chown(each, 0, 0)
        self.state.mkdir(0o700)
        os.chown(self.state, NOBODY, NOBODY)
        (self.state / NAME).symlink_to(rest / NAME)
        before = rest.stat().st_mtime_ns
        self.run_("backup", self.state, self.home / "another")
        self.assertEqual(rest.stat().st_mtime_ns, before)

    def test_inUse(self) -> None:
        """A state that a daemon uses isn't moved, and the line says what to do."""
        with self.daemon(self.state) as daemon:
            daemon.set("moshez", "Writing")
            self.assertIn("stop the daemon first", self.refused("copy", self.state, self.other))

    def test_notEmpty(self) -> None:
        """Neither statuses nor a file that are there already are written over."""
        self.written()
        self.run_("backup", self.state, self.backup)
        kept = self.backup.read_bytes()
        self.assertIn("is there already", self.refused("backup", self.state, self.backup))
        self.assertEqual(self.backup.read_bytes(), kept)
        self.assertIn("already", self.refused("restore", self.backup, self.state))
        with self.daemon(self.state) as daemon:
            self.assertEqual(daemon.ask(b"moshez\n"), b"Writing\r\n")

    def test_emptyState(self) -> None:
        """A daemon that has been started once, and of which nobody has set anything, is empty."""
        self.written()
        with self.daemon(self.other, asRoot=True) as daemon:
            self.assertEqual(self.run_("copy", self.state, self.other)[::2], (0, ""))
            self.assertEqual(daemon.set("shawn", "Reading"), b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Writing\r\n")

    def test_nothing(self) -> None:
        """What isn't there, is no backup, or can't be read or written, is told in a line."""
        self.backup.write_text("Not a database")
        for words, said in (
            (("backup", self.home / "none", self.home / "b"), "no statuses.sqlite"),
            (("restore", self.home / "none", self.other), "No such file"),
            (("restore", self.backup, self.other), "are damaged"),
            (("backup", "nowhere:x", self.home / "b"), "only a directory and postgresql:"),
            (("backup", "postgresql://a:secret@/b", self.home / "b"), "by every user"),
        ):
            complaint = self.refused(*words)
            self.assertIn(said, complaint)
            self.assertNotIn("secret", complaint)
        self.written()
        self.assertIn(
            "No such file", self.refused("backup", self.state, self.home / "none" / "backup")
        )
        self.assertEqual(list(self.home.glob("backup?*")), [])

    def test_full(self) -> None:
        """Where the disk is full, no half of a backup is left."""
        self.written()
        prefix = ("sh", "-c", 'ulimit -f 4; trap "" XFSZ; exec "$0" "$@"')
        self.refused("backup", self.state, self.backup, prefix=prefix)
        self.assertEqual(list(self.home.glob("backup*")), [])

    def test_ended(self) -> None:
        """Where it is ended in the middle, nothing is left of what it had begun."""
        self.written()
        temporary = self.home / "tmp"
        temporary.mkdir()
        temporary.chmod(0o1777)
        with closing(sqlite3.connect(self.state / NAME)) as another:
            another.execute("PRAGMA locking_mode=EXCLUSIVE")
            another.execute("BEGIN EXCLUSIVE")
            with subprocess.Popen(
                [STATE, "backup", self.state, self.backup],
                env={**os.environ, "TMPDIR": str(temporary)},
                stderr=subprocess.PIPE,
            ) as ended:
                # It waits for the database.
                while not list(temporary.iterdir()) and ended.poll() is None:
                    pass
                self.assertEqual(len(list(self.home.glob("backup*"))), 1)
                ended.terminate()
                self.assertEqual(ended.wait(PATIENCE), 128 + signal.SIGTERM)
                assert ended.stderr is not None
                self.assertEqual(ended.stderr.read(), b"")
        self.assertEqual(list(self.home.glob("backup*")), [])
        self.assertEqual(list(temporary.iterdir()), [])

    def test_checked(self) -> None:
        """What it has written, the daemon's own check finds nothing wrong with."""
        self.written()
        self.run_("copy", self.state, self.other)
        check = [CHECK, f"--state={self.other}", f"--users={self.users}"]
        done = subprocess.run(
            [*(AS_NOBODY if IS_ROOT else ()), *check, "--listen=tcp:0"],
            capture_output=True,
            timeout=PATIENCE,
            cwd="/",
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertFalse((self.other / HOST_KEY).exists())
