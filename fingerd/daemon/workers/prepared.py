"""From root to a lesser user, where there are workers: what is done before, and what is kept."""

from __future__ import annotations

import os
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred

from fingerd.system import privileges
from fingerd.system.privileges import Identity


def becomeParent(identity: Identity) -> None:
    """Become a lesser user, and keep the right that L{fingerd.system.capabilities} tells of."""
    if os.geteuid() != 0:
        return
    # Not imported elsewhere: it needs what systemd may forbid a daemon that was never root.
    from fingerd.system.capabilities import keepReading  # noqa: PLC0415

    with keepReading():
        privileges.become(identity)


def becomeWorker(identity: Identity) -> None:
    """The parent has become a lesser user: have no right more than that one."""
    if privileges.startedByRoot():
        from fingerd.system.capabilities import giveUp  # noqa: PLC0415

        giveUp()


class Prepared(Service):
    """
    Makes files that root alone may make (the state directory, the log of queries) and hands them to
    the user that the daemon becomes. Then it lets go of them: they are the workers' affair.
    """

    def __init__(self, store: object, queryLog: object) -> None:
        """
        @param store: where statuses are kept, which needs no letting go.
        @param queryLog: the log of queries, if there is one.
        """
        self._parts = [IService(part) for part in (store, queryLog) if IService.providedBy(part)]
        self._opened = IService(queryLog, None)
        self._letGo: Deferred[Any] | None = None

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        for part in self._parts:
            part.privilegedStartService()

    def startService(self) -> None:
        super().startService()
        if self._opened is not None:
            self._opened.startService()
            self._letGo = maybeDeferred(self._opened.stopService)

    def stopService(self) -> Deferred[Any] | None:
        super().stopService()
        return self._letGo
