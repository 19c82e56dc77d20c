"""Statuses in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from fingerd.model.errors import SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import Status
from fingerd.stores.showing import Showing

__all__ = ["MemoryStore"]


class HeldStore:
    """A store that has all that shows in memory, and so tells it without waiting."""

    def __init__(self, now: Callable[[], float], limits: Limits) -> None:
        """
        @param now: the time, in seconds since the epoch.
        """
        self._now = now
        self._showing = Showing(limits)
        self._callbacks: list[Callable[[], object]] = []

    def onChange(self, callback: Callable[[], object]) -> None:
        self._callbacks.append(callback)

    def _changed(self) -> None:
        for callback in self._callbacks:
            callback()

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
        # What users have set since they last cleared it, the newest last.
        self._set: dict[str, deque[Status]] = {}
        self._most = limits.statusHistory + 1

    def history(self, login: str, most: int) -> Deferred[Sequence[Status]]:
        now = self._now()
        set = reversed(self._set.get(login, ()))
        return succeed(list(islice((s for s in set if s.until is None or s.until > now), most)))

    def setStatus(self, login: str, status: Status) -> Deferred[None]:
        try:
            status = self._showing.admit(login, status)
        except SettingRefused:
            return fail()
        self._showing.put(login, status)
        if status.text:
            self._set.setdefault(login, deque(maxlen=self._most)).append(status)
        else:
            self._set.pop(login, None)
        self._changed()
        return succeed(None)
