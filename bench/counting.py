"""
What it costs a query to be counted: C{python -m bench.counting [ROUNDS]}.

In turns, visits come, get an answer and leave, once where all is counted and once where nothing is:
the difference is the cost. The last line is that of counting alone, without the call to it.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import cast

from twisted.internet.interfaces import IReactorTime

from fingerd.model.counts import Counts
from fingerd.model.limits import DEFAULTS
from fingerd.model.reply import Outcome
from fingerd.service.visit import Visit
from fingerd.service.visits import Visits

_VISITS = 20_000


class _Clock:
    """The time of a daemon's reactor, and no timers."""

    seconds = staticmethod(time.monotonic)

    def callLater(self, *arguments: object) -> None:
        """There is nobody to wait for."""


class _Uncounted(Visits):
    """Visits as they would be if nothing was counted."""

    def log(self, visit: Visit, outcome: Outcome, size: int) -> None:
        """Nobody wants to know."""


def _cost(visits: Visits) -> float:
    """Nanoseconds that a visit takes."""
    before = time.process_time_ns()
    for _ in range(_VISITS):
        visit = visits.enter("tcp", "192.0.2.1", _nothing, lookedAt=True)
        assert visit is not None
        visit.served("found", 100)
    return (time.process_time_ns() - before) / _VISITS


def _alone() -> float:
    counts = Counts()
    before = time.process_time_ns()
    for _ in range(_VISITS):
        counts.queries["tcp", "found"].add(0.0002)
    return (time.process_time_ns() - before) / _VISITS


def _nothing() -> None:
    pass


def main(rounds: int) -> None:
    """Measure, and print what was found."""
    clock = cast(IReactorTime, _Clock())
    counted, uncounted = (made(DEFAULTS, clock, 100) for made in (Visits, _Uncounted))
    pairs = [(_cost(counted), _cost(uncounted), _alone()) for _ in range(rounds)]
    print(f"{rounds} rounds of {_VISITS} visits\n\n| | ns | from | to |\n| --- | --- | --- | --- |")
    for words, found in (
        ("a visit that is counted", [each for each, _, _ in pairs]),
        ("a visit that isn't", [each for _, each, _ in pairs]),
        ("the difference in one round", [one - other for one, other, _ in pairs]),
        ("of that, the numbers", [each for _, _, each in pairs]),
    ):
        print(f"| {words} | {statistics.median(found):.0f} | {min(found):.0f} | {max(found):.0f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
