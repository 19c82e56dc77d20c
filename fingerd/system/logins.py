"""The system's accounts, by uid."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from functools import partial
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from fingerd.model.limits import DEFAULTS, Limits
from fingerd.system.threads import Threads


class Logins:
    """
    Tells the login of a uid.

    The system may have to ask a server for it (NSS), so that is done in a thread; however many
    ask for the same uid meanwhile, one thread does. What it says is good for
    C{limits.loginKept} seconds from when it was asked: a user who sets one status after the
    other costs one lookup, and an account that is renamed is soon seen to be. That a uid has no
    account, or that the system couldn't tell, is never kept.
    """

    def __init__(
        self,
        reactor: object,
        look: Callable[[int], pwd.struct_passwd] = pwd.getpwuid,
        limits: Limits = DEFAULTS,
    ) -> None:
        """
        @param reactor: one that can be called from threads, and tells the time.
        @param look: raises KeyError for a uid that has no account.
        """
        self._look = look
        self._limits = limits
        self._clock = cast(IReactorTime, reactor)
        # By uid: the login, and until when it is good.
        self._known: dict[int, tuple[str, float]] = {}
        self._threads = Threads(
            cast(IReactorFromThreads, reactor), limits.setterThreads, limits.setterWaiting
        )

    def loginOf(self, uid: int) -> Deferred[str | None]:
        """The login of the account that has ``uid``, or None where none has."""
        login, until = self._known.get(uid, (None, 0.0))
        if login is not None and self._clock.seconds() < until:
            return succeed(login)
        return self._threads.run(uid, partial(self._ask, uid)).addCallback(self._keep, uid)

    def stop(self) -> None:
        """End the threads, each when the system lets it go; nothing waits for that."""
        self._threads.stop()

    def _ask(self, uid: int) -> tuple[str | None, float]:
        until = self._clock.seconds() + self._limits.loginKept
        try:
            return self._look(uid).pw_name, until
        except KeyError:
            return None, until

    def _keep(self, found: tuple[str | None, float], uid: int) -> str | None:
        login, until = found
        if login is None:
            self._known.pop(uid, None)
        else:
            if len(self._known) >= self._limits.setterWaiting:
                self._known.clear()
            self._known[uid] = login, until
        return login
