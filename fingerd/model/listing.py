"""What a list is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fingerd.model.user import User


@dataclass(frozen=True, slots=True)
class Listing:
    """
    What all the sources together have to say to {C} (RFC 1288 2.5.1), in their order.

    A user with a C{report} is a source's own list, such as another finger server's: its C{login}
    is the name it is shown under.

    ``failures`` has a pair for each source that failed: a name for the source, which anyone may
    read, and what is said in its place, as L{fingerd.model.texts.internalError} words it. Failures
    are shown beside what the other sources say.
    """

    users: Sequence[User] = ()
    failures: Sequence[tuple[str, str]] = ()
