"""What the service says to a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fingerd.model.fields import Fields
from fingerd.model.record import Entry
from fingerd.model.user import User

__all__ = ["Outcome", "Reply"]

Outcome = Literal[
    "found",  # a user, or some
    "unknown",  # no such user, or none that may be seen
    "list",
    "several",  # more than one name in one query
    "history",  # what a user has set before
    "forwarded",  # what another host said
    "refused",  # no list here, no forwarding
    "failed",  # an error, or no answer in time
    "limited",  # too many queries
    "too-long",  # a line that is longer than any may be
    "set",  # a change was made, at a door where something is set
    "gone",  # the client didn't wait for the answer
]


@dataclass(slots=True, eq=False)
class Reply:
    """
    What may be shown of the answer to a query, to this visitor and at this door.

    Everything in a reply may be shown as it is: the users are masked, overlaid with what they set,
    reduced to C{fields}, cleaned, and their texts replaced.

    @ivar outcome: what became of the query. It says which of the other attributes count.
    @ivar users: for C{found} the user, or those whom the name matches; for C{list} all who are
        listed, where a user with a C{report} is another source's own list under the name C{login}.
        They may be prepared one by one, as they are taken: take each once.
    @ivar history: where it was asked for, what the user has set, the newest first. Who set it, and
        when it ends, is not said.
    @ivar latest: for C{list}, where it was asked for, the newest statuses of all who are listed,
        each with whose it is, the newest first.
    @ivar fields: the fields that the administrator shows in such a reply, known or not.
    @ivar verbose: whether the client asked for all there is to tell (C{/W}, RFC 1288 2.5.4).
    @ivar failures: for C{list} the sources that failed: a name for each, and the words for it.
    @ivar parts: for C{several} each name as it was asked for, and the reply to it.
    @ivar unanswered: for C{several} how many more names were asked for than are answered.
    @ivar words: for every other outcome the whole answer, in words; for C{list} what is said where
        nobody is listed.
    @ivar rendered: for C{list} the finger port's answer, once it is made: it goes to all who ask
        for the list within a moment, and all of them hold the same bytes.
    """

    outcome: Outcome
    words: str = ""
    users: Sequence[User] = ()
    fields: Fields = frozenset()
    verbose: bool = False
    failures: Sequence[tuple[str, str]] = ()
    parts: Sequence[tuple[str, Reply]] = ()
    unanswered: int = 0
    history: Sequence[Entry] = ()
    latest: Sequence[tuple[User, Entry]] = ()
    rendered: bytes | None = None
