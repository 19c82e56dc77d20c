"""The system's accounts, by uid."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from functools import partial
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from fingerd.limits import DEFAULTS, Limits
from fingerd.threads import Threads


class Accounts:
    """
    Tells the login of a uid.

    The system may have to ask a server for it (NSS), so that is done in a thread; however many
    ask for the same uid meanwhile, one thread does.
    """

    def __init__(
        self,
        reactor: object,
        look: Callable[[int], pwd.struct_passwd] = pwd.getpwuid,
        limits: Limits = DEFAULTS,
    ) -> None:
        """
        @param reactor: one that can be called from threads.
        @param look: raises KeyError for a uid that has no account.
        """
        self._look = look
        self._threads = Threads(
            cast(IReactorFromThreads, reactor), limits.setterThreads, limits.setterWaiting
        )

    def loginOf(self, uid: int) -> Deferred[str | None]:
        """The login of the account that has ``uid``, or None where none has."""
        return self._threads.run(uid, partial(self._login, uid))

    def stop(self) -> None:
        """End the threads, each when the system lets it go; nothing waits for that."""
        self._threads.stop()

    def _login(self, uid: int) -> str | None:
        try:
            return self._look(uid).pw_name
        except KeyError:
            return None
