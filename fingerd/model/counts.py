"""
What the daemon has done since it started, in plain numbers.

To count costs a query less than a microsecond: nothing is made of the numbers until somebody looks
at them. Nobody's login, name or address is among them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# In seconds: the upper bounds of the times of answers that are counted together.
ANSWER_TIMES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
# The same for how late the reactor was. Nothing should hold it for more than the 0.05.
LAG_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

# The names of the limits at which clients are turned away, or have to leave.
REFUSING = (
    "connections",
    "peerConnections",
    "setterConnections",
    "metricsConnections",
    "sshConnections",
    "connectionTime",
    "peerQueries",
    "queryLength",
    "lookups",
    "unsentAnswers",
)
# What becomes of a status that is to be set.
SETTINGS = ("set", "refused", "failed")


class Times:
    """
    How often something took how long.

    @ivar bounds: in seconds, upward.
    @ivar numbers: for each bound how many times were no longer than that, and longer than the bound
        before; behind them how many were longer than any.
    @ivar seconds: all times together.
    """

    __slots__ = ("bounds", "numbers", "seconds")

    def __init__(self, bounds: Sequence[float] = ANSWER_TIMES) -> None:
        self.bounds = bounds
        self.numbers = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """It took so long once more."""
        self.numbers[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def merge(self, others: Times) -> None:
        """Count these times, which have the same bounds, too."""
        self.numbers = [a + b for a, b in zip(self.numbers, others.numbers, strict=True)]
        self.seconds += others.seconds


@dataclass(slots=True)
class Lookups:
    """
    What became of the lookups in one directory.

    @ivar answered: those that found a user, or that there is none.
    @ivar failed: those that failed.
    @ivar ended: those that were ended before: the client left, or the time for a lookup was over.
    """

    answered: int = 0
    failed: int = 0
    ended: int = 0

    def merge(self, others: Lookups) -> None:
        """Count these too."""
        self.answered += others.answered
        self.failed += others.failed
        self.ended += others.ended


@dataclass(slots=True)
class Readings:
    """
    How the readings went of what a directory holds a copy of.

    @ivar done: how many copies were taken over.
    @ivar failed: how often it couldn't be read when it should have been.
    @ivar at: when the present copy was taken over, in seconds since the epoch.
    @ivar trouble: why the present copy is an old one; None where it is not.
    """

    done: int = 0
    failed: int = 0
    at: float | None = None
    trouble: str | None = None

    def taken(self, now: float) -> None:
        """A copy was taken over, at C{now} seconds since the epoch."""
        self.done += 1
        self.at = now
        self.trouble = None


@dataclass(slots=True)
class Counts:
    """
    Everything that is counted while the daemon works. All of it only grows.

    @ivar queries: by door and outcome, how long the client had been there when it was answered.
    @ivar refusals: by the name of a limit, how often a client came to it.
    @ivar settings: what became of statuses that were to be set, by a word.
    @ivar lookups: for each directory, in the order in which they are asked.
    """

    queries: defaultdict[tuple[str, str], Times] = field(default_factory=lambda: defaultdict(Times))
    refusals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REFUSING, 0))
    settings: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SETTINGS, 0))
    lookups: list[Lookups] = field(default_factory=list)

    def merge(self, others: Counts) -> None:
        """Count what another process of the same daemon has counted too."""
        for key, times in others.queries.items():
            self.queries[key].merge(times)
        for mine, theirs in ((self.refusals, others.refusals), (self.settings, others.settings)):
            for word, count in theirs.items():
                mine[word] = mine.get(word, 0) + count
        for _ in range(len(self.lookups), len(others.lookups)):
            self.lookups.append(Lookups())
        for own, other in zip(self.lookups, others.lookups, strict=False):
            own.merge(other)


@dataclass(frozen=True, slots=True)
class Figures:
    """
    Everything that can be measured, at one moment.

    @ivar counts: what was counted up to now.
    @ivar connections: how many there are, by door.
    @ivar most: how many connections there may be, by the name of the limit.
    @ivar users: for each directory how many users it has, where it knows that at once.
    @ivar readings: for each directory how its readings went, where it holds a copy of something.
    @ivar lag: how late the reactor was, each time when somebody looked.
    @ivar loaded: whether everything that had to be read at the start is read.
    """

    counts: Counts
    connections: Mapping[str, int]
    most: Mapping[str, int]
    users: Sequence[int | None]
    readings: Sequence[Readings | None]
    lag: Times
    loaded: bool
