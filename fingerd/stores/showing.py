"""Which of a user's statuses shows."""

from __future__ import annotations

import marshal
import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from fingerd.model.errors import SettingRefused
from fingerd.model.limits import Limits
from fingerd.model.record import Status

NOT_TEXT = "Not set: a status is text"
NO_TIME = "Not set: the time it is to last is no time"
TOO_MANY = "Not set: too many earlier statuses wait to show again"

_SHARDS = 256


class Showing:
    """
    The statuses that show, or will show again when those over them have expired.

    A user's statuses lie one on another; the topmost that has not expired shows. One that stays
    ends all below it, a clearing ends all there is, and one with an expiry ends those that would
    not outlast it. Nothing has to be done when a status expires: who reads it sees that it has.

    The statuses are in many small dicts, since one large one takes tens of milliseconds to grow.
    Each user's are bytes, since an object for each of a million keeps the garbage collector busy.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = limits.statusesBelow
        self._shards: list[dict[str, bytes]] = [{} for _ in range(_SHARDS)]

    def __len__(self) -> int:
        """How many users have a status, expired ones included."""
        return sum(map(len, self._shards))

    def get(self, login: str, now: float) -> Status | None:
        """What shows for ``login`` at the time ``now``, in seconds since the epoch, or None."""
        for status in reversed(self._pile(login)):
            if status.until is None or status.until > now:
                return status
        return None

    def ofLogins(self, logins: Iterable[str], now: float) -> dict[str, Status]:
        """By login, what shows for those of ``logins`` for whom something does."""
        found = ((login, self.get(login, now)) for login in logins)
        return {login: status for login, status in found if status is not None}

    def logins(self, limit: int, now: float) -> list[str]:
        """The logins for whom something shows, in alphabetical order: ``limit`` of them at most."""
        showing = (login for shard in self._shards for login in shard if self.get(login, now))
        return sorted(islice(showing, limit))

    def put(self, login: str, status: Status) -> None:
        """Lay ``status`` over the others of ``login``."""
        shard = self._shards[hash(login) % _SHARDS]
        if status.text:
            pile = [*self._outlasting(login, status), status]
            shard[login] = marshal.dumps([(s.text, s.set, s.by, s.until) for s in pile])
        else:
            shard.pop(login, None)

    def admit(self, login: str, status: Status) -> Status:
        """
        ``status`` as it can be kept: a clearing has no expiry.

        @raise SettingRefused: when it can't be kept, or would lie over too many others.
        """
        try:
            (status.text + status.by).encode("utf-8")
        except UnicodeEncodeError:
            raise SettingRefused(NOT_TEXT) from None
        if not status.text:
            return replace(status, until=None)
        if status.until is not None and not math.isfinite(status.until):
            raise SettingRefused(NO_TIME)
        if len(self._outlasting(login, status)) > self._most:
            raise SettingRefused(TOO_MANY)
        return status

    def _outlasting(self, login: str, status: Status) -> list[Status]:
        """The statuses of ``login`` that show again when ``status`` has expired."""
        end = status.until
        if end is None:
            return []
        return [below for below in self._pile(login) if below.until is None or below.until > end]

    def _pile(self, login: str) -> list[Status]:
        data = self._shards[hash(login) % _SHARDS].get(login)
        return [] if data is None else [Status(*fields) for fields in marshal.loads(data)]
