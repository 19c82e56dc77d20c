"""What users set, and who sets it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Part(StrEnum):
    """
    Something that users set. The value is what it is called where it is kept.

    Of C{HIDDEN} and C{PUBLIC_HISTORY} the text is C{YES}, or empty.
    """

    STATUS = "status"
    PLAN = "plan"
    PROJECT = "project"
    # The user is, to whoever asks, one whom nobody knows.
    HIDDEN = "hidden"
    # Whoever asks may see what statuses the user has set, where the administrator allows that too.
    PUBLIC_HISTORY = "public-history"


YES = "yes"

__all__ = ["Change", "Changed", "Entry", "Part", "Record", "Setter"]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A status, or another C{part} of a record, as it was set. An empty one clears what was set
    before.

    ``set`` is when, in seconds since the epoch. ``by`` is who set it, in words such as
    "uid 1000 (moshez)". ``until`` is when the status ends, in seconds since the epoch, and
    the one before it shows again; None is never.
    """

    text: str
    set: float
    by: str = ""
    until: float | None = None
    part: Part = Part.STATUS


class Record(NamedTuple):
    """What a user has set of themselves, and shows: a C{None} shows what the directories say."""

    status: Entry | None = None
    plan: Entry | None = None
    project: Entry | None = None
    hidden: Entry | None = None
    publicHistory: Entry | None = None

    def of(self, part: Part) -> Entry | None:
        """What is set for C{part}."""
        return self[_PLACES[part]]


_PLACES = {part: place for place, part in enumerate(Part)}
# Of a user who has set nothing.
NOTHING_SET = Record()


@dataclass(frozen=True, slots=True)
class Change:
    """
    What is to be set: the C{text} of a status, or of another C{part}, for so many C{seconds}, or
    until it is set again where that is None. An empty text clears what was set.
    """

    text: str
    seconds: int | None = None
    part: Part = Part.STATUS


@dataclass(frozen=True, slots=True)
class Changed:
    """What shows of a C{part} since it was changed, and what showed before."""

    part: Part
    now: Entry | None
    before: Entry | None


@dataclass(frozen=True, slots=True)
class Setter:
    """
    Who asks for a change, as far as the door they came to can tell.

    ``uid`` is their user on this machine and ``login`` that user's name: each is None where it
    isn't known. ``where`` is where they ask from, for the log.
    """

    uid: int | None
    login: str | None
    where: str

    @property
    def account(self) -> str:
        """Whom they count as, where users are counted: those who aren't known count as one."""
        return self.login or "someone unknown" if self.uid is None else f"uid {self.uid}"

    @property
    def who(self) -> str:
        """Who asks, in words such as "uid 1000 (moshez)"."""
        if self.uid is None:
            return self.account
        return self.account + (f" ({self.login})" if self.login else "")

    def __str__(self) -> str:
        return f"{self.who} on {self.where}"
