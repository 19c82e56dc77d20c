"""Starts that fail, in the foreground and in the background: what the terminal says."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
from collections.abc import Sequence

from tests.support.daemon import AS_NOBODY, IS_ROOT, PATIENCE, TWISTD, exchange, needsRoot
from tests.support.with_users import WithUsers

LOG = "No such file or directory; make the directory that it is to be in"


class StartingTests(WithUsers):
    """A real twistd that can't start."""

    def twistd(
        self, *options: str, asRoot: bool = False, twistds: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """How it ends, in a directory of its own, with users and ports where nothing is wrong."""
        before = () if asRoot or not IS_ROOT else AS_NOBODY
        return subprocess.run(
            [*before, TWISTD, *twistds, "finger", "--listen=tcp:0", *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def refused(self, line: str, *options: str, asRoot: bool = False) -> None:
        """One line on the terminal, in the background; the last line of the log with -n."""
        users = () if any("users" in option for option in options) else (f"--users={self.users}",)
        done = self.twistd(*users, *options, asRoot=asRoot)
        self.assertEqual((done.returncode, done.stderr), (1, f"twistd finger: {line}\n"))
        self.assertEqual(done.stdout, "")
        # (A lesser user can't take away what root wrote; the next start does.)
        self.assertEqual((self.folder / "twistd.pid").exists(), asRoot)
        log = self.folder / "twistd.log"
        self.assertTrue(log.read_text().endswith(f"twistd finger: {line}\n"))
        log.unlink()
        done = self.twistd(*users, *options, asRoot=asRoot, twistds=("-n", "--pidfile="))
        self.assertEqual(done.returncode, 1)
        said = (done.stdout + done.stderr).splitlines()
        self.assertTrue(said[-1].endswith(f"twistd finger: {line}"), said)

    def test_portTwice(self) -> None:
        """Two doors that are to have one port: the one that comes second is named."""
        port = f"unix:{self.folder}/finger"
        self.refused(
            f"--web {port}: can't listen on {port}: Address already in use; "
            "ss -lxp says who has it",
            *(f"--listen={port}", f"--web={port}", "--no-setter"),
        )

    def test_socketWithoutDirectory(self) -> None:
        """A UNIX socket in a directory that isn't there."""
        where = f"unix:{self.folder}/none/setter"
        self.refused(
            f"--setter {where}: can't listen on {where}: {LOG}",
            *(f"--setter={where}", f"--state={self.folder}/state"),
        )

    def test_queryLog(self) -> None:
        """A query log that can't be made, in more words than twistd itself would hand on."""
        path = f"{self.folder}/{'long' * 30}/queries.log"
        self.refused(
            f"--query-log {path}: can't log queries to {path}: {LOG}",
            *(f"--query-log={path}", "--no-setter"),
        )

    def test_workers(self) -> None:
        """What the parent of workers can't do is said in the same way."""
        path = f"{self.folder}/none/queries.log"
        self.refused(
            f"--query-log {path}: can't log queries to {path}: {LOG}",
            *(f"--query-log={path}", "--no-setter", "--workers=2"),
        )

    def test_usersFile(self) -> None:
        """A users file that is none is named by the option that its user wrote."""
        self.refused(
            f"--users {self.folder}: can't read the users file {self.folder}: not a regular file",
            *(f"--users={self.folder}", "--no-setter"),
        )

    def test_lesserUser(self) -> None:
        """What only the user can't do whom root's daemon becomes is said to root, too."""
        needsRoot()
        private = self.folder / "private"
        private.mkdir(mode=0o770)
        os.chown(private, 1, 1)
        path = f"{private}/queries.log"
        self.refused(
            f"--query-log {path}: can't log queries to {path}: Permission denied; "
            "uid 65534 must be able to write to it, and to its directory",
            *(f"--query-log={path}", "--no-setter", "--user=nobody"),
            asRoot=True,
        )

    def test_twistdsFiles(self) -> None:
        """twistd's own files are named, too, where they can't be written."""
        none = f"{self.folder}/none"
        for option, cure in (
            ("logfile", "say another"),
            ("pidfile", "say another, or --pidfile= for none"),
        ):
            done = self.twistd("--no-setter", twistds=(f"--{option}={none}/file",))
            self.assertEqual(done.returncode, 1)
            self.assertEqual(
                done.stderr,
                f"twistd: --{option} {none}/file: there is no directory {none}; {cure}\n",
            )

    def test_starts(self) -> None:
        """One that can start goes to the background, and answers when the shell goes on."""
        for more in ((), ("--workers=2",)):
            done = self.twistd(f"--users={self.users}", "--no-setter", *more)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            pid = int((self.folder / "twistd.pid").read_text())
            self.addCleanup(_end, pid)
            if not more:
                log = (self.folder / "twistd.log").read_text()
                found = re.search(r"finger on 0\.0\.0\.0:(\d+); ", log)
                assert found is not None, log
                self.assertEqual(exchange(int(found[1]), b"moshez\r\n"), b"Happy and well\r\n")
            _end(pid)


def _end(pid: int) -> None:
    """Let a daemon that is nobody's child end, and wait for that."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(watched, signal.SIGTERM)
        ended = select.poll()
        ended.register(watched, select.POLLIN)
        if not ended.poll(PATIENCE * 1000):
            signal.pidfd_send_signal(watched, signal.SIGKILL)
    finally:
        os.close(watched)
