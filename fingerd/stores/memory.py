"""Statuses in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from fingerd.model.errors import SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import Status
from fingerd.stores.showing import Showing


class HeldStore:
    """What a store that has all that shows in memory says, without waiting for anything."""

    def __init__(self, now: Callable[[], float], limits: Limits) -> None:
        """
        @param now: the time, in seconds since the epoch.
        """
        self._now = now
        self._showing = Showing(limits)

    def held(self, login: str) -> Status | None:
        return self._showing.get(login, self._now())

    def getStatus(self, login: str) -> Deferred[Status | None]:
        return succeed(self.held(login))

    def getStatuses(self, logins: Sequence[str]) -> Deferred[Mapping[str, Status]]:
        return succeed(self._showing.ofLogins(logins, self._now()))

    def getLogins(self, limit: int) -> Deferred[Sequence[str]]:
        return succeed(self._showing.logins(limit, self._now()))


@implementer(IStore)
class MemoryStore(HeldStore):
    """Statuses that last as long as the process."""

    def __init__(self, now: Callable[[], float], limits: Limits = DEFAULTS) -> None:
        super().__init__(now, limits)

    def setStatus(self, login: str, status: Status) -> Deferred[None]:
        try:
            self._showing.put(login, self._showing.admit(login, status))
        except SettingRefused:
            return fail()
        return succeed(None)
