"""The system's accounts, by uid."""

from __future__ import annotations

import pwd
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure


class Accounts:
    """
    Tells the login of a uid.

    The system may have to ask a server for it (NSS), so that is done in a thread; however many
    ask for the same uid meanwhile, one thread does.
    """

    def __init__(
        self, reactor: object, look: Callable[[int], pwd.struct_passwd] = pwd.getpwuid
    ) -> None:
        """
        @param reactor: one with threads.
        @param look: raises KeyError for a uid that has no account.
        """
        self._reactor = reactor
        self._look = look
        self._asking: dict[int, list[Deferred[str | None]]] = {}

    def loginOf(self, uid: int) -> Deferred[str | None]:
        """The login of the account that has ``uid``, or None where none has."""
        asked: Deferred[str | None] = Deferred()
        waiting = self._asking.setdefault(uid, [])
        waiting.append(asked)
        if len(waiting) == 1:
            reactor = IReactorThreads(self._reactor)
            looking = deferToThreadPool(reactor, reactor.getThreadPool(), self._login, uid)
            looking.addBoth(self._told, uid)
        return asked

    def _login(self, uid: int) -> str | None:
        try:
            return self._look(uid).pw_name
        except KeyError:
            return None

    def _told(self, login: str | Failure | None, uid: int) -> None:
        for asked in self._asking.pop(uid):
            if isinstance(login, Failure):
                asked.errback(login)
            else:
                asked.callback(login)
