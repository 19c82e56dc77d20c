"""Where accounts are, and the system's."""

# Zope's interfaces describe methods without self.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

import os
import pwd
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial

from zope.interface import Interface, implementer

from fingerd.directories.accounts.passwd_format import Account, PasswdReader, fromTable
from fingerd.directories.watched.table import Table
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS, Limits

# The bytes that are read between two pauses: some 200 accounts, less than a millisecond's work.
_PIECE = 16 * 1024
# The seconds of a pause. A thread that only computes has Python's one lock nearly all the time. One
# that sleeps, however little, lets the reactor have it.
_PAUSE = 0.0002


class IAccounts(Interface):
    """
    Accounts. What finds them may block: it is given by the reactor's thread, to be called in
    another, and raises L{DirectoryError} when it can't tell.
    """

    def finding(login: str) -> Callable[[], Account | None]:
        """What finds the account of exactly that login, or None where there is none."""

    def listing(limit: int) -> Callable[[], list[Account]]:
        """What finds the first accounts, ``limit`` of them at most."""


@implementer(IAccounts)
class SystemAccounts:
    """
    The accounts of the system, wherever its name service (nsswitch.conf(5)) has them.

    For the list, getent(1) is run. Python's own getpwall() holds Python's one lock while it waits
    for the name service, and so stops the reactor from any thread. And a program can be ended. This
    one is read by the thread that makes the list, and ended when there are enough accounts: of a
    million of them, the list needs no more than the first pieces.
    """

    def __init__(self, uids: range, limits: Limits = DEFAULTS, getent: str | None = None) -> None:
        """
        @param uids: the users that count.
        @param getent: the path of getent(1), if it is not where programs are.
        """
        self._uids = uids
        self._limits = limits
        self._getent = getent or shutil.which("getent") or shutil.which("getent", path=os.defpath)

    def __str__(self) -> str:
        return ""

    def finding(self, login: str) -> Callable[[], Account | None]:
        """See L{IAccounts}."""
        return partial(self._find, login)

    def listing(self, limit: int) -> Callable[[], list[Account]]:
        """See L{IAccounts}."""
        return partial(self._list, limit)

    def _find(self, login: str) -> Account | None:
        try:
            entry = pwd.getpwnam(os.fsdecode(login.encode("utf-8")))
        except KeyError:
            # Also said where the name service had no descriptor left to look with.
            _needDescriptor()
            return None
        account = Account(
            _text(entry.pw_name), entry.pw_uid, _text(entry.pw_gecos), _text(entry.pw_dir)
        )
        # A name service may find "alice" for "ALICE" too. That is another user to the daemon: who
        # is hidden, or has set a status, has one name.
        return account if account.login == login and account.uid in self._uids else None

    def _list(self, limit: int) -> list[Account]:
        if self._getent is None:
            raise DirectoryError("there is no getent(1) to list the system's accounts with")
        table = Table(limit)
        reader = PasswdReader(table, self._limits.usersFileLine, uids=self._uids)
        try:
            child = subprocess.Popen(
                [self._getent, "passwd"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                cwd="/",
            )
        except OSError as error:
            raise DirectoryError(f"can't run {self._getent}: {error.strerror}") from error
        with child:
            try:
                pieces = _output(child, self._limits.lookupTime)
                while len(table) < limit and (piece := next(pieces, b"")):
                    reader.feed(piece)
                    time.sleep(_PAUSE)
                reader.end()
            finally:
                child.kill()
        return [fromTable(*entry) for entry in table.first(limit)]


def _output(child: subprocess.Popen[bytes], seconds: float) -> Iterator[bytes]:
    """
    What getent(1) writes, until it ends.

    @raise DirectoryError: when it takes longer than that, or ends otherwise than well.
    """
    assert child.stdout is not None
    end = time.monotonic() + seconds
    output = select.poll()
    output.register(child.stdout, select.POLLIN)
    try:
        while (left := end - time.monotonic()) > 0 and output.poll(left * 1000):
            piece = os.read(child.stdout.fileno(), _PIECE)
            if piece:
                yield piece
            elif (status := child.wait(left)) == 0:
                return
            else:
                raise DirectoryError(f"getent passwd ended with status {status}")
    except subprocess.TimeoutExpired:
        pass
    raise DirectoryError(f"getent passwd took longer than {seconds} seconds")


def _text(text: str) -> str:
    # Python reads the system's strings by the locale; they are UTF-8 here, whatever it is.
    return os.fsencode(text).decode("utf-8", "surrogateescape")


def _needDescriptor() -> None:
    """
    @raise DirectoryError: when there is no descriptor left.
    """
    try:
        os.close(os.open("/", getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC))
    except OSError as error:
        raise DirectoryError(f"can't look up accounts: {error.strerror}") from error
