"""Which workers have seen a status that was set through another."""

from __future__ import annotations

from collections.abc import Sequence

from fingerd.daemon.workers.worker import Worker


class Sightings:
    """Lets all workers look at a status that one has kept, and tells that one when they have."""

    def __init__(self) -> None:
        # A status: who has kept it, its id, and who has yet to see it.
        self._waiting: list[tuple[Worker, int, set[Worker]]] = []

    def set(self, by: Worker, status: int, others: Sequence[Worker]) -> None:
        """C{by} has kept a status, which C{others} are to see."""
        if not others:
            by.say("shown", status)
            return
        self._waiting.append((by, status, set(others)))
        for worker in others:
            worker.say("look", status)

    def seen(self, worker: Worker, last: int) -> None:
        """A worker has all statuses up to this one."""
        for by, status, others in self._waiting:
            if status <= last and worker in others:
                others.discard(worker)
                if not others:
                    by.say("shown", status)
        self._tidy()

    def left(self, worker: Worker) -> None:
        """A worker is over: nobody waits for it, and it waits for nobody."""
        self._waiting = [each for each in self._waiting if each[0] is not worker]
        self.seen(worker, max((status for _, status, _ in self._waiting), default=0))

    def _tidy(self) -> None:
        self._waiting = [each for each in self._waiting if each[2]]
