"""What strangers can bring about as often as they like, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")

_OTHERS = object()


class Repeats(Generic[T]):
    """
    Lets a bounded number of things be said in a time: one of each kind. What comes beyond is
    counted, and that is said before the first thing of another time.

    When nearly all of that number is said, the next kind stands for all others.
    """

    def __init__(
        self, most: int, seconds: float, clock: IReactorTime, more: Callable[[T, int], None]
    ) -> None:
        """
        @param most: how many things are said in C{seconds}.
        @param more: says how many more there were of the kind of a thing, by what it is known.
        """
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._more = more
        self._since = clock.seconds()
        self._said: dict[Hashable, T] = {}
        self._counts: dict[Hashable, int] = {}

    def fold(self, kind: Hashable, say: Callable[[], T]) -> T:
        """
        Say one thing, or count it.

        @param say: says it. What it returns, by that the thing is known.
        @return: by what that is known which was said of this kind.
        """
        now = self._clock.seconds()
        if now - self._since >= self._seconds:
            said, self._said = self._said, {}
            counts, self._counts = self._counts, {}
            self._since = now
            for other, count in counts.items():
                self._more(said[other], count)
        if kind not in self._said and len(self._said) >= self._most - 1:
            kind = _OTHERS
        if kind in self._said:
            self._counts[kind] = self._counts.get(kind, 0) + 1
        else:
            self._said[kind] = say()
        return self._said[kind]
