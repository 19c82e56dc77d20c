"""What is done with a failure: the client gets a fixed text, the log gets the reason."""

from __future__ import annotations

import math
import secrets
from typing import NoReturn

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd.logs.repeats import Like
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits


class Failures:
    """
    Logs failures, and gives the references for the clients: each leads to a line of the log.

    A source that fails does so for everyone who asks, and as often. So failures for one reason
    have one reference for C{limits.repeatsTime}, and the daemon's log has one line of them. There
    are C{limits.repeatsLogged} references in that time; the last of them stands for all other
    reasons.
    """

    def __init__(self, log: Logger, limits: Limits, clock: IReactorTime) -> None:
        self._log = log
        self._most = limits.repeatsLogged
        self._seconds = limits.repeatsTime
        self._clock = clock
        self._since = clock.seconds()
        self._references: dict[tuple[object, ...], str] = {}

    def reference(self, failure: Failure, what: str) -> str:
        """
        Log ``failure``, and give back the reference that it has in the log, for the client.

        @param what: what was being done, with anything from a client or a file in it quoted.
        """
        reference, isNew = self._reference(failure)
        # What a client was told is in the log, whatever else is.
        like = Like(reference, math.inf if isNew else 1)
        if failure.check(DirectoryError):
            self._log.error(
                "{what}: {reason!s} (reference {reference})",
                what=what,
                reason=failure.value,
                reference=reference,
                like=like,
            )
        else:
            # Not foreseen: where it comes from matters.
            self._log.failure(
                "{what} (reference {reference})",
                failure,
                what=what,
                reference=reference,
                like=like,
            )
        return reference

    def _reference(self, failure: Failure) -> tuple[str, bool]:
        """The reference, and whether nobody was told it before."""
        now = self._clock.seconds()
        if now - self._since >= self._seconds:
            self._references.clear()
            self._since = now
        # Failures are of one kind when they have one reason and come from one place.
        place = failure.frames[-1][:3] if failure.frames else ()
        kind = failure.type, failure.getErrorMessage(), *place
        if kind not in self._references and len(self._references) >= self._most - 1:
            kind = ()
        isNew = kind not in self._references
        return self._references.setdefault(kind, secrets.token_hex(4)), isNew


def tookTooLong(result: object, seconds: float) -> NoReturn:
    """What C{Deferred.addTimeout} is to do with what was cancelled: say why, for the log."""
    raise DirectoryError(f"took longer than {seconds} seconds")
