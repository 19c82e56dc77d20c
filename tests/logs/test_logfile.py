"""A log file at the start of a daemon: whom it belongs to, and what can't be one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from typing import cast

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from fingerd.logs.log_file import LogFile, Told
from fingerd.model.errors import CannotStart
from fingerd.system.privileges import Identity
from tests.support.daemon import PATIENCE, ROOT, needs, needsRoot
from tests.support.ports import temporaryFolder
from tests.system.test_state import OTHER, PRESENT, SERVICE, owner


class LogFileCase(SynchronousTestCase):
    """Has a path for a log file, in a folder that only its owner may write to."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self).resolve()
        self.folder.chmod(0o755)
        self.path = self.folder / "query.log"

    def opened(self, by: Identity = PRESENT, asRoot: bool = True) -> LogFile:
        nobody = cast(Told, None)
        file = LogFile(str(self.path), by, cast(IReactorFromThreads, reactor), nobody)
        file.open(asRoot)
        if file._file is not None:
            self.addCleanup(os.close, file._file)
        return file

    def refused(self, by: Identity = PRESENT) -> str:
        """The reason why it can't be used."""
        line = str(self.assertRaises(CannotStart, self.opened, by))
        prefix = f"can't log queries to {self.path}: "
        self.assertTrue(line.startswith(prefix), line)
        return line.removeprefix(prefix)


class OwnTests(LogFileCase):
    """A daemon that stays the user it is."""

    def test_notAFile(self) -> None:
        """A directory, a FIFO, a device or a missing folder is refused, without waiting for any."""
        self.path.mkdir()
        self.assertEqual(self.refused(), "Is a directory")
        self.path.rmdir()
        os.mkfifo(self.path)
        self.assertEqual(self.refused(), "it is no ordinary file")
        self.path.unlink()
        self.path.symlink_to("/dev/null")
        self.assertEqual(self.refused(), "it is no ordinary file")
        self.path = self.folder / "missing" / "query.log"
        self.assertEqual(
            self.refused(), "No such file or directory; make the directory that it is to be in"
        )

    def test_link(self) -> None:
        """A link is followed: the process has no more rights than who made it wants."""
        target = self.folder / "target"
        target.touch()
        self.path.symlink_to(target)
        self.opened()._write(b"line\n")
        self.assertEqual(target.read_text(), "line\n")


class HandingOverTests(LogFileCase):
    """A daemon that root starts, and that becomes a lesser user."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            raise SkipTest("only root can hand a file over")

    def isOpen(self, file: LogFile) -> bool:
        return self.path.exists() and file._file is not None

    def test_made(self) -> None:
        """In a folder of root's the file is made, and belongs to the lesser user."""
        self.assertTrue(self.isOpen(self.opened(SERVICE)))
        self.assertEqual(owner(str(self.path)), tuple(SERVICE))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)
        # As at the next start.
        self.opened(SERVICE)

    def test_rootsOwn(self) -> None:
        """A file of root's is handed over when it is empty: with something in it, it may be any."""
        self.path.touch()
        self.opened(SERVICE)
        self.assertEqual(owner(str(self.path)), tuple(SERVICE))
        os.chown(self.path, 0, 0)
        self.path.write_text("root:x:0:0\n")
        self.assertEqual(
            self.refused(SERVICE), "it is root's and not empty: give it to uid 64001, or move it"
        )
        self.assertEqual(owner(str(self.path)), (0, 0))

    def test_foreign(self) -> None:
        """A file of another user's is refused, and so is one with a second name."""
        self.path.touch()
        os.link(self.path, self.folder / "second")
        self.assertEqual(self.refused(SERVICE), "it is no ordinary file with one name")
        os.unlink(self.folder / "second")
        os.chown(self.path, *OTHER)  # type: ignore[arg-type]
        self.assertEqual(self.refused(SERVICE), "it is uid 64002's, and the daemon is uid 64001")
        self.assertEqual(owner(str(self.path)), tuple(OTHER))

    def test_lesserUsersFolder(self) -> None:
        """
        In a folder of the lesser user's root touches nothing, whatever has been put there: the
        lesser user opens it.
        """
        os.chown(self.folder, *SERVICE)  # type: ignore[arg-type]
        victim = temporaryFolder(self) / "shadow"
        victim.touch()
        self.path.symlink_to(victim)
        self.assertIsNone(self.opened(SERVICE)._file)
        self.assertEqual(owner(str(victim)), (0, 0))
        self.path.unlink()
        file = self.opened(SERVICE)
        self.assertFalse(self.path.exists())
        os.setegid(SERVICE.gid or 0)
        os.seteuid(SERVICE.uid or 0)
        try:
            file.open(asRoot=False)
        finally:
            os.seteuid(0)
            os.setegid(0)
        self.assertEqual(owner(str(self.path)), tuple(SERVICE))

    def test_link(self) -> None:
        """A link in the place of the file is not followed by root."""
        victim = self.folder / "shadow"
        victim.touch()
        self.path.symlink_to(victim)
        self.assertIsNone(self.opened(SERVICE)._file)
        self.assertEqual(owner(str(victim)), (0, 0))


_DAEMON = """
import signal, sys
from twisted.internet import reactor
from fingerd.system.privileges import Identity
from fingerd.logs.query_log import QueryLog
from fingerd.daemon.upkeep import Daemon
from fingerd.system.signals import OnSignal
path, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
daemon = Daemon(Identity(uid, gid))
log = QueryLog(path, reactor, Identity(uid, gid), "text")
reopened = OnSignal(signal.SIGUSR1, reactor, log.reopen)
for part in (log, reopened):
    part.setServiceParent(daemon)
daemon.startService()
reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
count = 0
def ask():
    global count
    if not daemon.running:
        return
    count += 1
    log.asked("192.0.2.1", "tcp", b"user%d" % count, "found", 16, 0.001)
    reactor.callLater(0.002, ask)
reactor.callWhenRunning(ask)
reactor.addSystemEventTrigger("after", "shutdown", lambda: print(count))
reactor.run()
"""


class LogrotateTests(LogFileCase):
    """The real logrotate, with the configuration that comes along."""

    def test_logrotate(self) -> None:
        """
        It moves the file of a daemon that has given up root, tells the daemon, and not one of the
        queries asked meanwhile is lost.
        """
        needsRoot()
        needs("logrotate")
        pidfile = self.folder / "pid"
        configuration = (ROOT / "etc" / "fingerd.logrotate").read_text()
        for old, new in (
            ("/var/log/fingerd.log", str(self.folder / "none")),
            ("/var/log/fingerd-query.log", str(self.path)),
            ("/run/fingerd.pid", str(pidfile)),
            ("create 0640 fingerd adm", "create 0640 nobody adm"),
        ):
            self.assertIn(old, configuration)
            configuration = configuration.replace(old, new)
        (self.folder / "conf").write_text(configuration)
        process = subprocess.Popen(
            [sys.executable, "-c", _DAEMON, str(self.path), "65534", "65534"],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        try:
            pidfile.write_text(str(process.pid))
            for _ in range(2):
                while not self.path.exists() or not self.path.stat().st_size:
                    self.assertIsNone(process.poll())
                    time.sleep(0.01)
                subprocess.run(
                    [
                        "logrotate",
                        "--force",
                        "--state",
                        self.folder / "state",
                        self.folder / "conf",
                    ],
                    check=True,
                    timeout=PATIENCE,
                )
            while not self.path.stat().st_size:
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            process.terminate()
            asked = int(process.communicate(timeout=PATIENCE)[0])
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        older = subprocess.run(
            ["zcat", f"{self.path}.2.gz"], check=True, capture_output=True, text=True
        ).stdout
        self.assertTrue(older)
        text = older + (self.folder / "query.log.1").read_text() + self.path.read_text()
        self.assertEqual(
            [line.split('"')[1] for line in text.splitlines()],
            [f"user{number}" for number in range(1, asked + 1)],
        )
        self.assertEqual(owner(str(self.path))[0], 65534)
