"""Users of whatever is asked over connections, by calls that block."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from zope.interface import implementer

from fingerd.model.errors import CannotStart, DirectoryError
from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User, isLogin
from fingerd.system.threads import Threads

T = TypeVar("T")


class Lost(DirectoryError):
    """A connection has ended, or there is none to be had. Another one may do better."""


class Connection(Protocol):
    """
    A connection that is open. One thread at a time uses it, and each call comes back within
    C{limits.databaseTime}, or soon after that. What fails is a L{DirectoryError}.
    """

    def user(self, login: str) -> User | None:
        """The user called ``login``, which can be a login."""

    def users(self, limit: int) -> list[User]:
        """At most ``limit`` users."""

    def close(self) -> None:
        """Close it; that never fails."""


@implementer(IDirectory)
class ConnectedDirectory(Service):
    """
    Asks over connections that it keeps, one for each of its threads at most.

    A connection on which something failed is closed. Where one that was kept turns out to be
    lost, because the server was started again meanwhile, the same is asked once more over a
    new one.

    At the start, one connection is made and tried. Where there is no server yet, the log says so
    and the daemon starts; any other failure is a mistake of the administrator's, and ends
    the start.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        connect: Callable[[], Connection],
        reactor: IReactorFromThreads,
        limits: Limits = DEFAULTS,
    ) -> None:
        """
        @param name: what it is called in the log; no password is in it.
        @param connect: makes a connection, in a thread, and tries whether it can be asked. It
            fails with a L{DirectoryError}.
        """
        self._name = name
        self._connect = connect
        self._threads = Threads(reactor, limits.databaseThreads, limits.databaseWaiting)
        # The connections that no thread uses, the latest last. Threads take them and put them back.
        self._kept: deque[Connection] = deque()
        self._stopped = False

    def __str__(self) -> str:
        return self._name

    def startService(self) -> None:
        super().startService()
        try:
            self._keep(self._connect())
        except Lost as error:
            self._log.warn(
                "{directory} can't be asked yet: {reason!s}", directory=self, reason=error
            )
        except DirectoryError as error:
            raise CannotStart(f"can't use {self}: {error}") from None

    def stopService(self) -> None:
        """Close the connections: those in use as soon as they aren't, which isn't waited for."""
        super().stopService()
        self._threads.stop()
        self._stopped = True
        self._closeKept()

    def getUser(self, login: str) -> Deferred[User | None]:
        if not isLogin(login):
            return succeed(None)
        return self._threads.run(login, lambda: self._ask(lambda each: each.user(login)))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return self._threads.run(limit, lambda: self._ask(lambda each: each.users(limit)))

    def _ask(self, question: Callable[[Connection], T]) -> T:
        """What ``question`` finds out; called in a thread."""
        try:
            kept = self._take()
            if kept is not None:
                try:
                    return self._over(kept, question)
                except Lost:
                    # The others were lost with it.
                    self._closeKept()
            return self._over(self._connect(), question)
        except DirectoryError as error:
            raise DirectoryError(f"{self}: {error}") from None

    def _over(self, connection: Connection, question: Callable[[Connection], T]) -> T:
        try:
            answer = question(connection)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return answer

    def _take(self) -> Connection | None:
        try:
            return self._kept.pop()
        except IndexError:
            return None

    def _keep(self, connection: Connection) -> None:
        self._kept.append(connection)
        # Looked at after that: whichever thread stops the directory meanwhile, one of the two
        # closes the connection.
        if self._stopped:
            self._closeKept()

    def _closeKept(self) -> None:
        while (connection := self._take()) is not None:
            connection.close()
