"""Programs for tests, and a directory that asks them."""

from __future__ import annotations

import os
import select
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from fingerd.directories.program import ProcessUsers
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits
from fingerd.model.user import User
from tests.support.daemon import PATIENCE
from tests.support.ports import TIME


class Readable:
    """Calls back once the reactor finds that a descriptor can be read, and closes it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.found: Deferred[None] = Deferred(lambda _: self.connectionLost(None))
        reactor.addReader(self)  # type: ignore[arg-type]

    def fileno(self) -> int:
        return self.descriptor

    def logPrefix(self) -> str:
        return "Readable"

    def doRead(self) -> None:
        self.connectionLost(None)
        self.found.callback(None)

    def connectionLost(self, reason: object) -> None:
        reactor.removeReader(self)  # type: ignore[arg-type]
        os.close(self.descriptor)


class Fifo:
    """Where programs and a test tell each other what they are at, a line at a time."""

    def __init__(self, path: str) -> None:
        os.mkfifo(path)
        self.path = path
        # Open for both, it has no end, and nobody waits for the other to open it.
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.heard: bytes = b""

    async def line(self) -> str:
        """The next line that a program says."""
        while b"\n" not in self.heard:
            await Readable(os.dup(self.descriptor)).found
            self.heard += os.read(self.descriptor, 4096)
        line, self.heard = self.heard.split(b"\n", 1)
        return str(line, "utf-8")

    def say(self, data: bytes) -> None:
        os.write(self.descriptor, data)


async def openDescriptors() -> set[str]:
    """This process's, when the reactor has let go of those that were closed just now."""
    await deferLater(TIME, 0)
    return set(os.listdir("/proc/self/fd"))


def children() -> set[str]:
    """The pids of this process's children, with those that nobody has waited for yet."""
    lists = Path("/proc/self/task").glob("*/children")
    return {pid for listed in lists for pid in listed.read_text().split()}


class ProgramTestCase(TestCase):
    """Has programs, and a directory that asks one."""

    timeout = PATIENCE

    def path(self) -> str:
        """The path of a file that isn't there yet."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        return os.path.join(directory, "file")

    def program(self, script: str, mode: int = 0o755, interpreter: str = "/bin/sh") -> str:
        path = self.path()
        with open(path, "w") as file:
            file.write(f"#!{interpreter}\n{script}\n")
        os.chmod(path, mode)
        return path

    def fifo(self) -> Fifo:
        fifo = Fifo(self.path())
        self.addCleanup(os.close, fifo.descriptor)
        return fifo

    def users(
        self, path: str, *arguments: str, verboseOption: str | None = None, **limits: Any
    ) -> ProcessUsers:
        limits.setdefault("programTime", float(PATIENCE))
        users = ProcessUsers(
            [path, *arguments], reactor, Limits(**limits), verboseOption=verboseOption
        )
        self.addCleanup(users.stopService)
        return users

    def asking(self, script: str, **limits: Any) -> Deferred[User | None]:
        """What a directory says of moshez, where its program is this script."""
        return self.users(self.program(script), **limits).getUser("moshez")

    async def report(self, script: str, **limits: Any) -> str:
        user = await self.asking(script, **limits)
        assert user is not None
        return user.report

    async def reason(self, asked: Deferred[Any]) -> str:
        """The words with which a lookup fails."""
        return str(await self.assertFailure(asked, DirectoryError))

    def said(self) -> list[str]:
        """The log, from now on."""
        lines: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event["log_namespace"].startswith("fingerd"):
                lines.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return lines

    def over(self, pid: int) -> Deferred[None]:
        """Fires when a process that runs now does no longer."""

        def end(_: object) -> None:
            if not over.called:
                os.kill(pid, signal.SIGKILL)

        over = Readable(os.pidfd_open(pid)).found
        self.addCleanup(end, None)
        return over

    def assertRuns(self, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        self.addCleanup(os.close, descriptor)
        self.assertEqual(select.select([descriptor], [], [], 0)[0], [])
