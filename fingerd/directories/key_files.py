"""
A directory of files with users' public SSH keys: one for each user, by the login, in the form of
authorized_keys (sshd(8)).

No login becomes a path: the directory is listed, and who asks is looked up among what it has.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.directories.watched.looks import Looks
from fingerd.directories.watched.regular_file import State, openRegular, stateOf
from fingerd.model.errors import CannotStart, DirectoryError, reasonOf
from fingerd.model.interfaces import IKeyring, IReloadable
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import isLogin
from fingerd.system.slices import Steps, atOnce

# So many files are looked at in one go, in a thread.
_AT_ONCE = 64


class _Keys(NamedTuple):
    """What a file has, and the state in which it was read."""

    state: State
    text: str


@implementer(IKeyring, IReloadable)
class KeyFiles(Service):
    """
    The keys in a directory. It is read at the start, and what has changed is read again at a
    reload, in slices between which the daemon does its work. A file that is taken away, or can't be
    read when it has changed, has no keys any more; where the directory can't be read, all stay.

    After the start, L{Looks} does all that: where the directory is on a server that hangs, the keys
    stay, and only a thread waits.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        clock: IReactorTime,
        limits: Limits = DEFAULTS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        @param clock: the reactor.
        @param now: the time in seconds since the epoch, as files have it.
        """
        self._path = os.path.abspath(path)
        self._clock = clock
        self._limits = limits
        self._now = now
        self._files: dict[str, _Keys] = {}
        # Why files, and the directory as "", can't be read, so that it is said once.
        self._troubles: dict[str, str] = {}
        self._read = False
        self._looks: Looks | None = None

    def __str__(self) -> str:
        return self._path

    def keysOf(self, login: str) -> str:
        """See L{IKeyring}."""
        keys = self._files.get(login)
        return "" if keys is None else keys.text

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        try:
            if os.stat(self._path).st_mode & stat.S_IWOTH:
                raise DirectoryError("everyone may write to it")
            atOnce(self._readWhatIsNew())
        except (OSError, DirectoryError) as error:
            raise CannotStart(f"can't read the keys in {self._path}: {reasonOf(error)}") from None
        self._read = True
        count = sum(1 for keys in self._files.values() if keys.text)
        self._log.info(
            "{path}: keys of {users}",
            path=self._path,
            users="1 user" if count == 1 else f"{count} users",
        )

    def startService(self) -> None:
        if not self._read:
            self.privilegedStartService()
        super().startService()
        try:
            os.scandir(self._path).close()
        except OSError as error:
            self._say("", f"this daemon's user can't read it again: {reasonOf(error)}")
        self._looks = Looks(self._look, self._keep, self._clock, self._limits)

    def stopService(self) -> None:
        super().stopService()
        if self._looks is not None:
            self._looks.stop()
            self._looks = None

    def reload(self) -> Deferred[None]:
        """Read what has changed: see L{IReloadable}."""
        return succeed(None) if self._looks is None else self._looks.ask()

    def _look(self) -> Steps[None]:
        try:
            yield from self._readWhatIsNew()
        except OSError as error:
            self._keep(reasonOf(error))
        except Exception:
            self._log.failure("Reading {path}", Failure(), path=self._path)

    def _keep(self, reason: str) -> None:
        self._say("", f"it can't be read ({reason}): the keys read before stay")

    def _readWhatIsNew(self) -> Steps[None]:
        """Read in steps what is new or has changed, and take over what there is."""
        files: dict[str, _Keys] = {}
        troubles: dict[str, str] = {}
        entries: list[os.DirEntry[str]] = yield self._entries
        for start in range(0, len(entries), _AT_ONCE):
            some = entries[start : start + _AT_ONCE]
            found: list[_Keys | float | str | None] = yield partial(self._found, some)
            for entry, keys in zip(some, found, strict=True):
                if isinstance(keys, _Keys):
                    files[entry.name] = keys
                elif isinstance(keys, str):
                    troubles[entry.name] = keys
                elif keys is not None:
                    assert self._looks is not None
                    self._looks.askLater(keys)
                    if known := self._files.get(entry.name):
                        files[entry.name] = known
        for name, reason in troubles.items():
            self._say(name, reason)
        self._files, self._troubles = files, troubles

    def _entries(self) -> list[os.DirEntry[str]]:
        """The files there are that can be users'. This may block."""
        with os.scandir(self._path) as entries:
            return [
                entry for entry in entries if not entry.name.startswith(".") and isLogin(entry.name)
            ]

    def _found(self, entries: list[os.DirEntry[str]]) -> list[_Keys | float | str | None]:
        """
        For each of the files what L{_file} says or, where it can't be read, why; None where there
        is no such file. This may block.
        """
        found: list[_Keys | float | str | None] = []
        for entry in entries:
            try:
                found.append(self._file(entry, self._files.get(entry.name)))
            except FileNotFoundError:
                # It is gone by now, or a link to nothing.
                found.append(None)
            except UnicodeDecodeError:
                found.append("not UTF-8")
            except (OSError, DirectoryError) as error:
                found.append(reasonOf(error))
        return found

    def _file(self, entry: os.DirEntry[str], known: _Keys | None) -> _Keys | float:
        """
        What is in a file or, where it may be being written, in how many seconds to look again. This
        may block.
        """
        info = entry.stat()
        if known is not None and known.state == stateOf(info):
            return known
        if info.st_mode & stat.S_IWOTH:
            raise DirectoryError("everyone may write to it")
        age = self._now() - info.st_mtime
        if self._read and 0 <= age < self._limits.usersFileQuiet:
            return self._limits.usersFileQuiet - age
        with open(openRegular(entry.path), "rb", buffering=0) as file:
            state = stateOf(os.fstat(file.fileno()))
            data = file.read(self._limits.sshKeys + 1)
        if len(data) > self._limits.sshKeys:
            raise DirectoryError(f"longer than {self._limits.sshKeys} bytes")
        return _Keys(state, data.decode("utf-8"))

    def _say(self, name: str, reason: str) -> None:
        if self._troubles.get(name) != reason:
            self._troubles[name] = reason
            self._log.warn(
                "{path}, {reason}",
                path=os.path.join(self._path, name) if name else self._path,
                reason=reason,
            )
