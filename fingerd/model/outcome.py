"""What becomes of a query."""

from __future__ import annotations

from typing import Literal, NamedTuple

Outcome = Literal[
    "found",  # a user, or some
    "unknown",  # no such user, or none that may be seen
    "list",
    "several",  # more than one name in one query
    "forwarded",  # what another host said
    "refused",  # no list here, no forwarding
    "failed",  # an error, or no answer in time
    "limited",  # too many queries
    "too-long",  # a line that is longer than any may be
    "gone",  # the client didn't wait for the answer
]


class Said(NamedTuple):
    """An answer in words."""

    text: str
    outcome: Outcome


class Answer(NamedTuple):
    """An answer as it is sent."""

    data: bytes
    outcome: Outcome
