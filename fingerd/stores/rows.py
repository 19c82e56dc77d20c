"""What stores and their databases say to each other."""

from __future__ import annotations

from dataclasses import dataclass

from fingerd.model.record import Entry, Part


@dataclass(slots=True, eq=False)
class TakingBack:
    """
    What a user has set last is to be taken back, or C{all} that they ever have.

    @ivar now: in seconds since the epoch.
    @ivar part: what was taken back, once that is done; None where there was nothing.
    """

    all: bool
    now: float
    part: Part | None = None


# A login, and what is to be done to its record.
Setting = tuple[str, Entry | TakingBack]
# An id, a login and the fields of its status. One of no part, a mark, says that nothing is set for
# the login, but for what the rows behind it say, which have its id.
Row = tuple[int, str, str, float, str, float | None, str]
