"""
A user in the form that people know from finger(1):

    Login: moshez                           Name: Moshe Zadka
    Office: Room 5, 555-1234                Home Phone: 555-5678
    Status (3 hours ago, ends in 1 hour 30 minutes): Happy and well
    Project: Twisted
    Plan:
    To write a finger daemon.
"""

from __future__ import annotations

import math

from fingerd.model.fields import Field, Fields
from fingerd.model.texts import NO_PLAN
from fingerd.model.user import User
from fingerd.text.columns import COLUMNS, pair
from fingerd.text.width import displayWidth

_UNITS = (
    (365 * 86400, "year"),
    (30 * 86400, "month"),
    (86400, "day"),
    (3600, "hour"),
    (60, "minute"),
)

# The field of each attribute of a user; None for an attribute that is no field.
_FIELDS = tuple(Field(name) if name in list(Field) else None for name in User._fields)

# The fields that have a place of their own; of the others each is a line, in their order.
_PLACED = frozenset(
    {
        *(Field.LOGIN, Field.NAME, Field.OFFICE, Field.OFFICE_PHONE, Field.HOME_PHONE),
        *(Field.STATUS, Field.PUBLIC_KEY, Field.PLAN),
    }
)

Known = dict[Field, str]


def known(user: User) -> Known:
    """What there is to show of C{user}: the texts that are not empty."""
    return {
        field: str(text)
        for field, text in zip(_FIELDS, user, strict=True)
        if field is not None and text
    }


def entry(texts: Known, fields: Fields, statusTime: str = "") -> str:
    """
    The lines on one user.

    @param texts: what is L{known}.
    @param fields: what would be shown, were it known.
    @param statusTime: the L{timeOf} the status.
    """
    name, home = texts.get(Field.NAME), texts.get(Field.HOME_PHONE)
    office = [texts[field] for field in (Field.OFFICE, Field.OFFICE_PHONE) if field in texts]
    lines = [pair(f"Login: {texts.get(Field.LOGIN, '')}", f"Name: {name}" if name else "")]
    if office or home:
        where = Field.OFFICE if Field.OFFICE in texts else Field.OFFICE_PHONE
        lines.append(
            pair(
                f"{where.label}: {', '.join(office)}" if office else "",
                f"Home Phone: {home}" if home else "",
            )
        )
    if Field.STATUS in texts:
        lines.append(statusLine(texts[Field.STATUS], statusTime))
    if Field.PUBLIC_KEY in texts:
        lines.append(f"Public key:\n{texts[Field.PUBLIC_KEY]}")
    lines.extend(
        _beside(f"{field.label}:", texts[field])
        for field in Field
        if field in texts and field not in _PLACED
    )
    if Field.PLAN in texts:
        lines.append(f"Plan:\n{texts[Field.PLAN]}")
    elif Field.PLAN in fields:
        lines.append(NO_PLAN)
    return "\n".join(lines)


def statusLine(status: str, statusTime: str = "") -> str:
    """A clean status under its label, with the L{timeOf} it where that is known."""
    return _beside(f"Status ({statusTime}):" if statusTime else "Status:", status)


def timeOf(user: User, now: float) -> str:
    """How long ago the status of C{user} was set, and when it ends, as far as that is known."""
    return ", ".join(filter(None, [age(user.statusSet, now), ending(user.statusUntil, now)]))


def ending(until: float | None, now: float) -> str:
    """
    In how long C{until} is, to the minute, in the two largest units that there are of it, such as
    ``ends in 1 hour 30 minutes``. The text is empty where there is no end, or it is past.

    @param until: in seconds since the epoch, as ``now`` is.
    """
    # That is false for NaN too.
    if until is None or not 0 < until - now < math.inf:
        return ""
    left = 60 * max(1, round((until - now) / 60))
    words = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return f"ends in {' '.join(words[:2])}"


def _beside(label: str, text: str) -> str:
    """A text beside its label, or below where it doesn't fit."""
    line = f"{label} {text}"
    fits = "\n" not in text and displayWidth(line.expandtabs()) <= COLUMNS
    return line if fits else f"{label}\n{text}"


def age(since: float | None, now: float | None) -> str:
    """
    How long ago C{since} was, in words, such as ``3 hours ago``. The text is empty where the time
    isn't known, and where it lies ahead because a clock was set back.

    @param since: in seconds since the epoch, as ``now`` is.
    """
    if since is None or now is None:
        return ""
    seconds = now - since
    # That is false for NaN too.
    if not 0 <= seconds < math.inf:
        return ""
    for size, unit in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
