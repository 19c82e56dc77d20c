"""What ``fingerd-check`` says of the state directory and the query log: what the daemon says."""

from __future__ import annotations

import os
from pathlib import Path

from tests.daemon.test_check import CHECK
from tests.support.daemon import AS_NOBODY, IS_ROOT, PATIENCE, TWISTD, needsRoot
from tests.support.forking import runForked
from tests.support.with_users import WithUsers


class Checking(WithUsers):
    """A test that starts fingerd-check, and the daemon, with the same options."""

    def started(self, command: list[str], *options: str, asRoot: bool) -> tuple[int, list[str]]:
        """How a command ends, and its lines."""
        before = () if asRoot or not IS_ROOT else AS_NOBODY
        command = [*command, "--listen=tcp:0", f"--users={self.users}", *options]
        done = runForked(command, os.environ, PATIENCE, prefix=before)
        return done.returncode, (done.stdout + done.stderr).decode().splitlines()

    def check(self, *options: str, asRoot: bool = False) -> tuple[int, list[str]]:
        """How fingerd-check ends, and its lines."""
        return self.started([CHECK], *options, asRoot=asRoot)


class KeptTests(Checking):
    """A daemon that couldn't keep what it is to keep."""

    def refused(self, line: str, *options: str, asRoot: bool = False) -> None:
        """It ends with 1 and this line, and the daemon itself ends with the same reason."""
        status, said = self.check(*options, asRoot=asRoot)
        self.assertEqual((status, said[-1]), (1, f"error: fingerd-check: {line}"), said)
        status, said = self.started([TWISTD, "-n", "--pidfile=", "finger"], *options, asRoot=asRoot)
        self.assertEqual(status, 1)
        self.assertTrue(said[-1].endswith(f"twistd finger: {line}"), said)

    def made(self, name: str, uid: int, mode: int = 0o700) -> Path:
        """A directory of that user's."""
        path = self.folder / name
        path.mkdir()
        os.chown(path, uid, uid)
        path.chmod(mode)
        return path

    def test_well(self) -> None:
        """Where there is nothing yet, and all can be made, nothing is said, and nothing made."""
        for asRoot in (False, True) if IS_ROOT else (False,):
            status, said = self.check(
                *(f"--state={self.folder}/a/state", f"--query-log={self.folder}/queries.log"),
                *("--setter=tcp:0",),
                asRoot=asRoot,
            )
            self.assertEqual(status, 0, said)
            self.assertEqual([path.name for path in self.folder.iterdir()], ["users"])

    def test_stateIsAFile(self) -> None:
        """A file in the place of the state directory."""
        self.refused(
            f"--state {self.users}: can't use the state directory {self.users}: Not a directory; "
            "move that file away, or name another directory",
            f"--state={self.users}",
        )

    def test_stateOfOthers(self) -> None:
        """A state directory that the daemon's user can't enter is not taken for an empty one."""
        needsRoot()
        state = self.made("state", 1)
        for asRoot in (False, True):
            self.refused(
                f"--state {state}: can't use the state directory {state}: "
                "it is uid 1's, and the daemon is uid 65534",
                f"--state={state}",
                asRoot=asRoot,
            )

    def test_stateReadOnly(self) -> None:
        """A state directory that the daemon's user can't write to."""
        state = self.made("state", 65534 if IS_ROOT else os.getuid(), 0o500)
        status, said = self.check(f"--state={state}")
        self.assertEqual(status, 1)
        self.assertIn(
            f"can't use the state directory {state}: Permission denied; it must", said[-1]
        )

    def test_stateOfRoot(self) -> None:
        """Statuses that are root's until the daemon starts are said not to be seen."""
        needsRoot()
        state = self.made("state", 0)
        self.assertEqual(self.check(f"--state={state}", asRoot=True)[0], 0)
        (state / "statuses.sqlite").touch(0o600)
        status, said = self.check(f"--state={state}", asRoot=True)
        self.assertEqual(status, 2)
        self.assertEqual(
            said[-1],
            f"warning: statuses in {state}/statuses.sqlite can't be read: "
            "uid 65534 may not, as yet",
        )
        (state / "others").touch()
        self.refused(
            f"--state {state}: can't use the state directory {state}: "
            "other things are in it: it needs to be one of its own",
            f"--state={state}",
            asRoot=True,
        )

    def test_queryLog(self) -> None:
        """A query log without its directory, or in the place of something else."""
        for path, reason in (
            (
                f"{self.folder}/none/queries.log",
                "No such file or directory; make the directory that it is to be in",
            ),
            (str(self.folder), "Is a directory"),
            ("/dev/null", "it is no ordinary file"),
        ):
            self.refused(
                f"--query-log {path}: can't log queries to {path}: {reason}",
                *(f"--query-log={path}", "--no-setter"),
            )

    def test_queryLogNotWritable(self) -> None:
        """A query log that the daemon's user may not write to, or whose directory they may not."""
        needsRoot()
        path = self.made("logs", 1, 0o755) / "queries.log"
        reason = (
            f"--query-log {path}: can't log queries to {path}: Permission denied; "
            "uid 65534 must be able to write to it, and to its directory"
        )
        for asRoot in (False, True):
            self.refused(reason, f"--query-log={path}", "--no-setter", asRoot=asRoot)
            path.touch(0o600)

    def test_queryLogOfRoot(self) -> None:
        """One of root's is given to the daemon's user, but not one with something in it."""
        needsRoot()
        folder = Path("/var/log") / f"fingerd-{self.folder.name}"
        folder.mkdir(0o755)
        self.addCleanup(folder.rmdir)
        path = folder / "queries.log"
        path.touch(0o600)
        self.addCleanup(path.unlink)
        options = f"--query-log={path}", "--no-setter"
        self.assertEqual(self.check(*options, asRoot=True)[0], 0)
        self.assertEqual(path.stat().st_uid, 0)
        path.write_text("a line\n")
        self.refused(
            f"--query-log {path}: can't log queries to {path}: "
            "it is root's and not empty: give it to uid 65534, or move it",
            *options,
            asRoot=True,
        )
