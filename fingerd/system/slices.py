"""Long work in short pieces, between which others have their turns."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

__all__ = ["inSlices"]

T = TypeVar("T")

# What work is made of that takes long: it yields after each step, which is short, and returns what
# comes of it.
Steps = Generator[None, None, T]

# Others have their turn after so many seconds.
_SLICE = 0.005


async def inSlices(steps: Steps[T], clock: IReactorTime) -> T:
    """
    Do all the C{steps}, while others have their turns.

    @return: what comes of them.
    """
    until = clock.seconds() + _SLICE
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if clock.seconds() >= until:
            await deferLater(clock, 0)
            until = clock.seconds() + _SLICE
