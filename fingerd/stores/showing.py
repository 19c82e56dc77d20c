"""Which of what a user has set shows."""

from __future__ import annotations

import marshal
import math
from dataclasses import replace
from itertools import islice

from fingerd.model.errors import SettingRefused
from fingerd.model.limits import Limits
from fingerd.model.record import NOTHING_SET, Entry, Part, Record

NOT_TEXT = "Not set: a status is text"
NO_TIME = "Not set: the time it is to last is no time"
TOO_MANY = "Not set: too many earlier statuses wait to show again"

_SHARDS = 256
# By what they are called where they are kept.
_PARTS = {part.value: part for part in Part}


class Showing:
    """
    What shows of users, or will show again when what lies over it has expired.

    What a user has set of one part of their record lies one on another; the topmost that has not
    expired shows. One that stays ends all below it, a clearing ends all there is, and one with an
    expiry ends those that would not outlast it. Nothing has to be done when a status expires: who
    reads it sees that it has.

    The records are in many small dicts, since one large one takes tens of milliseconds to grow.
    Each user's are bytes, since an object for each of a million keeps the garbage collector busy.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._shards: list[dict[str, bytes]] = [{} for _ in range(_SHARDS)]
        # Who has hidden themselves, or will be hidden again, and the end of that.
        self._hidden: dict[str, float] = {}

    def __len__(self) -> int:
        """How many users have set something, expired or not."""
        return sum(map(len, self._shards))

    def get(self, login: str, now: float) -> Record:
        """What shows for ``login`` at the time ``now``, in seconds since the epoch."""
        data = self._shards[hash(login) % _SHARDS].get(login)
        if data is None:
            return NOTHING_SET
        shows: dict[str, Entry] = {}
        for text, when, by, until, part in marshal.loads(data):
            if until is None or until > now:
                shows[part] = Entry(text, when, by, until, _PARTS[part])
        return Record(*map(shows.get, Part))

    def logins(self, limit: int, now: float) -> list[str]:
        """The logins for whom something shows, in alphabetical order: ``limit`` of them at most."""
        showing = (login for shard in self._shards for login in shard if self._shows(login, now))
        return sorted(islice(showing, limit))

    def hidden(self, now: float) -> frozenset[str]:
        """The logins of those who are hidden."""
        return frozenset(login for login, until in self._hidden.items() if until > now)

    def put(self, login: str, status: Entry) -> None:
        """Lay ``status`` over the others of ``login``."""
        pile = self.lasting(login)
        kept = [
            below for below in pile if below.part is not status.part or _outlasts(below, status)
        ]
        now = [*kept, status] if status.text else kept
        self._keep(login, now)
        if status.part is Part.HIDDEN:
            self._hidden.pop(login, None)
            # What lies below another ends after it.
            longest = next((each for each in now if each.part is Part.HIDDEN), None)
            if longest is not None:
                self._hidden[login] = math.inf if longest.until is None else longest.until

    def take(
        self, login: str, text: str, when: float, by: str, until: float | None, part: str
    ) -> None:
        """
        Take over a row of a database, as it is kept there: of no C{part} it says that all of its
        login follows anew.
        """
        if part:
            self.put(login, Entry(text, when, by, until, Part(part)))
        else:
            self.forget(login)

    def forget(self, login: str) -> None:
        """Nothing is set for ``login``."""
        self._keep(login, [])
        self._hidden.pop(login, None)

    def admit(self, login: str, status: Entry) -> Entry:
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
        if status.until is None:
            return status
        below = [each for each in self.lasting(login) if each.part is status.part]
        isStatus = status.part is Part.STATUS
        most = self._limits.statusesBelow if isStatus else self._limits.plansBelow
        if len([each for each in below if _outlasts(each, status)]) > most:
            raise SettingRefused(TOO_MANY)
        return status

    def lasting(self, login: str) -> list[Entry]:
        """What shows for ``login`` or may show again, of all parts, the newest last."""
        data = self._shards[hash(login) % _SHARDS].get(login)
        if data is None:
            return []
        return [
            Entry(text, when, by, until, _PARTS[part])
            for text, when, by, until, part in marshal.loads(data)
        ]

    def _shows(self, login: str, now: float) -> bool:
        record = self.get(login, now)
        return any((record.status, record.plan, record.project))

    def _keep(self, login: str, pile: list[Entry]) -> None:
        shard = self._shards[hash(login) % _SHARDS]
        if pile:
            fields = [(s.text, s.set, s.by, s.until, s.part.value) for s in pile]
            shard[login] = marshal.dumps(fields)
        else:
            shard.pop(login, None)


def _outlasts(below: Entry, above: Entry) -> bool:
    """Whether one status shows again when the one above it has expired."""
    if not above.text or above.until is None:
        return False
    return below.until is None or below.until > above.until


def earlier(part: Part, limits: Limits) -> int:
    """
    How much of what was set of a C{part} before is kept, beside what may show again, also when all
    of that is taken back.
    """
    return limits.statusHistory if part is Part.STATUS else limits.planHistory
