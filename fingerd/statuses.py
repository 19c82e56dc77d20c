"""What was set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from fingerd.interfaces import IStatusStore, Status


@implementer(IStatusStore)
class MemoryStatuses:
    """Statuses that last as long as the process."""

    def __init__(self, now: Callable[[], float]) -> None:
        """
        @param now: the time, in seconds since the epoch.
        """
        self._now = now
        self._statuses: dict[str, Status] = {}

    def getStatus(self, login: str) -> Deferred[Status | None]:
        return succeed(self._statuses.get(login))

    def getStatuses(self, logins: Sequence[str]) -> Deferred[Mapping[str, Status]]:
        held = self._statuses
        return succeed({login: held[login] for login in logins if login in held})

    def setStatus(self, login: str, text: str) -> Deferred[None]:
        if text:
            self._statuses[login] = Status(text, self._now())
        else:
            self._statuses.pop(login, None)
        return succeed(None)
