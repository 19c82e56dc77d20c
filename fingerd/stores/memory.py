"""Records in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from itertools import islice

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from fingerd.model.errors import SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import Entry, Part, Record
from fingerd.stores.showing import Showing, earlier

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

    def held(self, login: str) -> Record:
        return self._showing.get(login, self._now())

    def logins(self, limit: int) -> Sequence[str]:
        return self._showing.logins(limit, self._now())

    def hidden(self) -> Collection[str]:
        return self._showing.hidden(self._now())


@implementer(IStore)
class MemoryStore(HeldStore):
    """Records that last as long as the process."""

    def __init__(self, now: Callable[[], float], limits: Limits = DEFAULTS) -> None:
        super().__init__(now, limits)
        # What users have set, the newest last.
        self._set: dict[str, list[Entry]] = {}
        self._limits = limits

    def history(
        self, login: str, most: int, whole: bool = False, ended: bool = False
    ) -> Deferred[Sequence[Entry]]:
        newest = reversed(self._set.get(login, ()))
        if whole:
            return succeed(list(islice(newest, most)))
        now, found = self._now(), []
        for status in newest:
            if status.part is not Part.STATUS:
                continue
            if not status.text:
                break
            if ended or status.until is None or status.until > now:
                found.append(status)
        return succeed(found[:most])

    def set(self, login: str, entry: Entry) -> Deferred[None]:
        try:
            entry = self._showing.admit(login, entry)
        except SettingRefused:
            return fail()
        self._showing.put(login, entry)
        set = self._set.setdefault(login, [])
        set.append(entry)
        same = [at for at, each in enumerate(set) if each.part is entry.part]
        # Behind the newest go those that would not show again even if all the newest were undone.
        longest = -math.inf
        for at in same[::-1][earlier(entry.part, self._limits) :]:
            until = set[at].until
            ends = math.inf if until is None else until
            if ends <= longest:
                del set[at]
            longest = max(longest, ends)
        self._changed()
        return succeed(None)

    def undo(self, login: str) -> Deferred[Part | None]:
        now, set = self._now(), self._set.get(login, [])
        for at in reversed(range(len(set))):
            until = set[at].until
            if until is None or until > now:
                undone = set.pop(at)
                break
        else:
            return succeed(None)
        self._showing.forget(login)
        for status in set:
            self._showing.put(login, status)
        self._changed()
        return succeed(undone.part)

    def erase(self, login: str) -> Deferred[None]:
        self._set.pop(login, None)
        self._showing.forget(login)
        self._changed()
        return succeed(None)
