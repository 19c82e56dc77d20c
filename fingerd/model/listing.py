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

    ``failures`` are the sources that failed: the name each is to be known by, which anyone may
    read, and the answer for it, as L{fingerd.model.texts.internalError} words it. They are shown
    beside what the others say, and hide none of it.
    """

    users: Sequence[User] = ()
    failures: Sequence[tuple[str, str]] = ()
