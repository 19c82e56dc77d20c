"""What is done with a failure: the client gets a fixed text, the log gets the reason."""

from __future__ import annotations

import secrets
from typing import NoReturn

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd.logs.repeats import Repeats
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits


class Failures:
    """
    Logs failures, and gives the references for the clients: each leads to a
    line of the log.

    A source that fails does so for everyone who asks, and as often. So of failures for one reason
    the first is logged, once in C{limits.repeatsTime}, and the others have its reference; and of
    reasons there are C{limits.repeatsLogged}.
    """

    def __init__(self, log: Logger, limits: Limits, clock: IReactorTime) -> None:
        self._log = log
        self._repeats = Repeats(limits.repeatsLogged, limits.repeatsTime, clock, self._more)

    def reference(self, failure: Failure, what: str) -> str:
        """
        Log ``failure``, and give back the reference that it has in the log, for the client.

        @param what: what was being done, with anything from a client or a file in it quoted.
        """
        return self._repeats.fold(_kind(failure), lambda: self._say(failure, what))

    def _say(self, failure: Failure, what: str) -> str:
        reference = secrets.token_hex(4)
        if failure.check(DirectoryError):
            self._log.error(
                "{what}: {reason!s} (reference {reference})",
                what=what,
                reason=failure.value,
                reference=reference,
            )
        else:
            # Not foreseen: where it comes from matters.
            self._log.failure(
                "{what} (reference {reference})", failure, what=what, reference=reference
            )
        return reference

    def _more(self, reference: str, count: int) -> None:
        self._log.error(
            "{count} more failures like the one with reference {reference}, or not logged since "
            "there were too many",
            count=count,
            reference=reference,
        )


def _kind(failure: Failure) -> tuple[object, ...]:
    """Failures are of one kind when they have one reason and come from one place."""
    place = failure.frames[-1][:3] if failure.frames else ()
    return failure.type, failure.getErrorMessage(), *place


def tookTooLong(result: object, seconds: float) -> NoReturn:
    """What C{Deferred.addTimeout} is to do with what was cancelled: say why, for the log."""
    raise DirectoryError(f"took longer than {seconds} seconds")
