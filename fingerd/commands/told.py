"""What is set of a user, as C{fingerset} says it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from fingerd.doors.setter.grammar import Verb
from fingerd.model.record import Entry, Part
from fingerd.text.cleaning import cleanLine

# A status with when it shows: now, before the change, or at all.
Told = tuple[str, Entry]

_NOTHING = {
    Part.STATUS: "no status set",
    Part.PLAN: "no plan set",
    Part.PROJECT: "no project set",
    Part.HIDDEN: "shown",
    Part.PUBLIC_HISTORY: "the history is private",
}


def words(login: str, verb: Verb, told: Sequence[Told], now: float) -> Iterator[str]:
    """
    The lines that say what was done, or what there is, for C{login}.

    @param told: what the server said.
    @param now: the time in seconds since the epoch.
    """
    if verb is Verb.HISTORY:
        for _, status in told:
            yield f"{_clock(status.set, 0)}  {_what(status, now)} ({cleanLine(status.by)})"
    elif verb is Verb.TELL:
        for _, status in told:
            since = f", since {_clock(status.set, now)}, set by {cleanLine(status.by)}"
            yield f"{login}: {_what(status, now)}{since}"
        if not told:
            yield f"{login}: nothing set"
    elif verb is Verb.ERASE:
        yield f"{login}: all that was set is erased, the history included"
    else:
        yield f"{login}: {_change(verb, dict(told), now)}"


def _change(verb: Verb, shows: dict[str, Entry], now: float) -> str:
    after, before = shows.get("now"), shows.get("before")
    if after is not None:
        done = _what(after, now)
    elif before is not None:
        done = _NOTHING[before.part]
    else:
        done = "nothing set"
    return done if before is None else f"{done}; before it: {_what(before, now)}"


def _what(status: Entry, now: float) -> str:
    text = cleanLine(status.text).strip()
    if not text:
        words = _NOTHING[status.part]
    elif status.part is Part.HIDDEN:
        words = "hidden"
    elif status.part is Part.PUBLIC_HISTORY:
        words = "the history is public"
    else:
        words = text if status.part is Part.STATUS else f"{status.part}: {text}"
    return words if status.until is None else f"{words}, until {_clock(status.until, now)}"


def _clock(when: float, now: float) -> str:
    """A time of the day where that is today, else with the date: as the clock here has it."""
    then = time.localtime(when)
    today = then[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)
