"""
Queries for what a user has set before: which statuses ``moshez/log`` and the like mean.

    history = login "/" ("log" / "-" number / year "-" month "-" day)

A ``/`` is no part of a login. ``log`` is the last ones, ``-1`` the one before the present one, and
a date, in UTC, what showed on that day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from fingerd.model.record import Entry

# How many ``log`` has.
_LAST = 20
_WANTED = re.compile(r"log|-[1-9][0-9]{0,2}|[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def parse(name: str) -> tuple[str, str] | None:
    """The login in C{name} and what is wanted of its history, or None where nothing is."""
    login, slash, wanted = name.partition("/")
    return (login, wanted) if slash and _WANTED.fullmatch(wanted) else None


def meant(statuses: Sequence[Entry], wanted: str) -> Sequence[Entry]:
    """
    Those of C{statuses} that are C{wanted}.

    @param statuses: the newest first, back to the last clearing, also those that have ended.
    """
    if wanted == "log":
        return statuses[:_LAST]
    if wanted[0] == "-":
        number = int(wanted[1:])
        return statuses[number : number + 1]
    try:
        day = datetime.fromisoformat(wanted).replace(tzinfo=UTC)
        begin, end = day.timestamp(), (day + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError):
        return ()
    found = [status for status in statuses if begin <= status.set < end]
    # What showed when the day began is the last that hadn't ended.
    before = (status for status in statuses if status.set < begin)
    showing = next((s for s in before if s.until is None or s.until > begin), None)
    return found if showing is None else [*found, showing]


def lines(statuses: Sequence[Entry]) -> str:
    """The answer: a line for each status, with when it was set."""
    return "\n".join(f"{_moment(status.set)}  {_line(status.text)}" for status in statuses)


def _line(text: str) -> str:
    return " ".join(text.split("\n"))


def _moment(when: float) -> str:
    return f"{datetime.fromtimestamp(int(when), UTC):%Y-%m-%d %H:%M} UTC"
