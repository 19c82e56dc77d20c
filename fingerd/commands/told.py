"""What C{fingerset} says of what the server has told it."""

from __future__ import annotations

from collections.abc import Sequence

from fingerd.doors.plain import sentences
from fingerd.doors.setter.grammar import Verb
from fingerd.model.record import Entry

# A status with when it shows: now, before the change, or at all.
Told = tuple[str, Entry]


def words(login: str, verb: Verb, told: Sequence[Told], now: float) -> list[str]:
    """
    The lines that say what was done, or what there is, for C{login}.

    @param told: what the server said.
    @param now: the time in seconds since the epoch.
    """
    entries = [entry for _, entry in told]
    if verb is Verb.HISTORY:
        return sentences.history(entries, now)
    if verb is Verb.TELL:
        return sentences.record(login, entries, now)
    if verb is Verb.ERASE:
        return [sentences.erasure(login)]
    shows = dict(told)
    return [sentences.change(login, shows.get("now"), shows.get("before"), now)]
