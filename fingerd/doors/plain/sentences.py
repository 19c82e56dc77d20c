"""What users are told of what they have set, in sentences."""

from __future__ import annotations

import time
from collections.abc import Iterable

from fingerd.model.record import Entry, Part
from fingerd.text.cleaning import cleanLine

_NOTHING = {
    Part.STATUS: "no status set",
    Part.PLAN: "no plan set",
    Part.PROJECT: "no project set",
    Part.HIDDEN: "shown",
    Part.PUBLIC_HISTORY: "the history is private",
}


def change(login: str, after: Entry | None, before: Entry | None, now: float) -> str:
    """
    What a change has come to, such as C{moshez: At lunch, until 14:30; before it: Writing}.

    @param after: what shows since.
    @param before: what showed before.
    @param now: the time in seconds since the epoch.
    """
    if after is not None:
        done = _what(after, now)
    elif before is not None:
        done = _NOTHING[before.part]
    else:
        done = "nothing set"
    return f"{login}: {done}" + ("" if before is None else f"; before it: {_what(before, now)}")


def erasure(login: str) -> str:
    """That all is erased."""
    return f"{login}: all that was set is erased, the history included"


def record(login: str, entries: Iterable[Entry], now: float) -> list[str]:
    """
    What is set, by whom, since and until when, a line each.

    @param now: as in L{change}.
    """
    lines = [
        f"{login}: {_what(each, now)}, since {_clock(each.set, now)}, set by {cleanLine(each.by)}"
        for each in entries
    ]
    return lines or [f"{login}: nothing set"]


def history(entries: Iterable[Entry], now: float) -> list[str]:
    """
    What was set, a line each, with its date.

    @param now: as in L{change}.
    """
    return [f"{_clock(each.set, 0)}  {_what(each, now)} ({cleanLine(each.by)})" for each in entries]


def _what(entry: Entry, now: float) -> str:
    text = cleanLine(entry.text).strip()
    if not text:
        words = _NOTHING[entry.part]
    elif entry.part is Part.HIDDEN:
        words = "hidden"
    elif entry.part is Part.PUBLIC_HISTORY:
        words = "the history is public"
    else:
        words = text if entry.part is Part.STATUS else f"{entry.part}: {text}"
    return words if entry.until is None else f"{words}, until {_clock(entry.until, now)}"


def _clock(when: float, now: float) -> str:
    """A time of the day where that is today, else with the date: as the clock here has it."""
    then = time.localtime(when)
    today = then[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)
