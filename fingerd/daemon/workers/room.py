"""Room for newcomers, which one worker needs and another makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fingerd.daemon.workers.worker import Worker
from fingerd.model.limits import Limits
from fingerd.system.shared_table import ENDING, REMOTE_SETTERS, SETTERS, VISITS, SharedTable


class Room:
    """
    Lets workers end visits where there are too many in all: as many as that takes, however often
    they are asked for until those have ended.
    """

    def __init__(self, table: SharedTable, limits: Limits) -> None:
        """
        @param table: where visits are counted.
        @param limits: those of all workers together.
        """
        self._table = table
        self._most = {
            VISITS: limits.connections,
            SETTERS: limits.setterConnections,
            REMOTE_SETTERS: limits.sshConnections,
        }
        # By row: how many visits a worker has been told to end, and hasn't looked for yet.
        self._told: dict[int, Counter[Worker]] = {row: Counter() for row in self._most}

    def needed(self, row: int, workers: Sequence[Worker]) -> None:
        """
        One of these workers has let somebody in where there were as many as there may be. Where
        there are still too many, visits end in the workers that have most.
        """
        told, counts = self._told[row], self._table.counts(row)
        ending = sum(self._table.counts(row + ENDING)) + told.total()
        for _ in range(sum(counts) - self._most[row] - ending):
            worker = max(workers, key=lambda each: counts[each.column] - told[each])
            told[worker] += 1
            worker.say("room", row)

    def made(self, worker: Worker, row: int) -> None:
        """A worker has done what it was told: what it ends is in the table."""
        self._told[row][worker] -= 1

    def left(self, worker: Worker) -> None:
        """A worker is over, and all its visits are."""
        for told in self._told.values():
            del told[worker]
