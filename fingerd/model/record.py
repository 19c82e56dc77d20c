"""What users set, and who sets it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """
    A status as it was set. An empty one clears what was set before.

    ``set`` is when, in seconds since the epoch. ``by`` is who set it, in words such as
    "uid 1000 (moshez)". ``until`` is when the status ends, in seconds since the epoch, and
    the one before it shows again; None is never.
    """

    text: str
    set: float
    by: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """
    What is to be set: the status C{status} for so many C{seconds}, or until it is set again where
    that is None. An empty status clears what was set.
    """

    status: str
    seconds: int | None = None


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
