"""Real accounts, and a real lesser user to look at them with."""

from __future__ import annotations

import json
import os
import pwd
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, cast
from unittest import SkipTest

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import PATIENCE, ROOT
from tests.support.real_users import changeAccounts


def needRoot() -> None:
    """To be called first by tests of accounts."""
    if os.geteuid() != 0:
        raise SkipTest("only root can make accounts and become another user")


@contextmanager
def lesserUser(name: str = "nobody") -> Iterator[None]:
    """Within this, the system lets the process do what that user may do."""
    user = pwd.getpwnam(name)
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@contextmanager
def asRoot() -> Iterator[None]:
    """Within a L{lesserUser}, what root does meanwhile."""
    uid = os.geteuid()
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(uid)


@contextmanager
def noDescriptors() -> Iterator[None]:
    """Within this, the process can open nothing."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def logged(test: SynchronousTestCase) -> list[LogEvent]:
    """What is logged from now on, as long as the test lasts."""
    events: list[LogEvent] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    test.addCleanup(globalLogPublisher.removeObserver, observer)
    return events


def asked(url: str, *logins: str, by: str = "nobody") -> list[Any]:
    """
    What a C{passwd:} directory says to a process that began as root and has become another user
    for good. Without a login it is asked for the list. See L{tests.support.lesser}.
    """
    child = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.support.lesser", by, url, *logins],
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    if child.returncode != 0 or child.stderr:
        raise AssertionError(child.stderr.decode())
    answers: list[Any] = json.loads(child.stdout)
    return answers


class Accounts(SynchronousTestCase):
    """Tests with two accounts of the system, made for them: C{ada} and C{eve}."""

    base: ClassVar[Path]
    ada: ClassVar[pwd.struct_passwd]
    eve: ClassVar[pwd.struct_passwd]

    @classmethod
    def setUpClass(cls) -> None:
        needRoot()
        super().setUpClass()
        # Not where the tests run: that may be where a lesser user can't go.
        cls.base = Path(tempfile.mkdtemp(prefix="fingerd-homes-"))
        cls.addClassCleanup(shutil.rmtree, cls.base)
        cls.base.chmod(0o755)
        cls.ada = cls._made("ada", "Ada Lovelace,Room 1,555 1234,555 4321")
        cls.eve = cls._made("eve", "&,,,")

    @classmethod
    def _made(cls, name: str, gecos: str) -> pwd.struct_passwd:
        login = f"fd{os.getpid()}{name}"
        home = ["--no-create-home", "--home-dir", str(cls.base / name)]
        changeAccounts("useradd", *home, "--no-user-group", "--comment", gecos, login)
        cls.addClassCleanup(changeAccounts, "userdel", login)
        return pwd.getpwnam(login)

    def setUp(self) -> None:
        """Let every test begin with homes in which there is nothing."""
        for user in (self.ada, self.eve):
            home = Path(user.pw_dir)
            if home.is_symlink():
                home.unlink()
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(mode=0o755)
            os.chown(home, user.pw_uid, user.pw_gid)
        self.home = Path(self.ada.pw_dir)

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> Path:
        """Write a file into ada's home, as ada's."""
        path = self.home / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        os.chown(path, self.ada.pw_uid, self.ada.pw_gid)
        return path
