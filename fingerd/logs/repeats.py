"""How often the log says what is in principle the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python import threadable

from fingerd.model.limits import Limits

# Statements that log: there are some hundred, unless one makes a text of its own each time.
_STATEMENTS = 1000
_OTHERS = object()


class Like(NamedTuple):
    """
    What an event of the log has as C{like}, where lines of one statement are told apart: those are
    of one kind that have the same C{what}. C{most} is how many of the kind are written, if not
    C{limits.repeatsLogged}.
    """

    what: Hashable
    most: float | None = None


@dataclass(slots=True)
class _Kind:
    """Lines of one kind: the first one, how many there were, and how many of them were left out."""

    first: str
    count: int = 0
    left: int = 0


class Repeats:
    """
    Bounds what is written: of one kind of line so many in C{limits.repeatsTime}, and of kinds that
    come from one statement of the program C{limits.repeatsLogged}. When nearly all of these kinds
    are taken, the next one stands for all others.

    Lines beyond that are counted. How many there were is said when the time is over, and when this
    is stopped.
    """

    def __init__(
        self, limits: Limits, clock: IReactorTime, more: Callable[[str, int], None]
    ) -> None:
        """
        @param more: says how many lines were left out that are like another, which was written.
        """
        self._most = limits.repeatsLogged
        self._seconds = limits.repeatsTime
        self._clock = clock
        self._more = more
        self._since = clock.seconds()
        self._statements: dict[Hashable, dict[Hashable, _Kind]] = {}
        self._later: IDelayedCall | None = None

    def allow(self, statement: Hashable, like: Like, text: Callable[[], str]) -> bool:
        """
        Whether a line is to be written.

        @param statement: what in the program makes the line.
        @param text: gives the line's text, for the sum.
        """
        now = self._clock.seconds()
        if now - self._since >= self._seconds:
            self.sum()
        if statement not in self._statements and len(self._statements) >= _STATEMENTS:
            statement = _OTHERS
        kinds = self._statements.setdefault(statement, {})
        kind, most = like
        if kind not in kinds and len(kinds) >= self._most - 1:
            kind = _OTHERS
        lines = kinds.get(kind)
        if lines is None:
            lines = kinds[kind] = _Kind(text())
        lines.count += 1
        if lines.count <= (self._most if most is None else most):
            return True
        lines.left += 1
        # A line may come from any thread, and the clock is for one thread only.
        if self._later is None and threadable.ioThread in (None, threadable.getThreadID()):
            self._later = self._clock.callLater(self._since + self._seconds - now, self.sum)
        return False

    def sum(self) -> None:
        """Say what was left out, and begin anew."""
        if self._later is not None:
            if self._later.active():
                self._later.cancel()
            self._later = None
        statements, self._statements = self._statements, {}
        self._since = self._clock.seconds()
        for kinds in statements.values():
            for lines in kinds.values():
                if lines.left:
                    self._more(lines.first, lines.left)
