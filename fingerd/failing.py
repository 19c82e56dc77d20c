"""What is done with a failure: the client gets a fixed text, the log gets the reason."""

from __future__ import annotations

import secrets
from typing import NoReturn

from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd import answer
from fingerd.interfaces import DirectoryError


def internalError(log: Logger, failure: Failure, what: str) -> str:
    """
    Log ``failure``, and give back the answer for the client, under the same reference.

    @param what: what was being done, with anything from a client or a file in it quoted.
    """
    reference = secrets.token_hex(4)
    if failure.check(DirectoryError):
        log.error(
            "{what}: {reason!s} (reference {reference})",
            what=what,
            reason=failure.value,
            reference=reference,
        )
    else:
        # Not foreseen: where it comes from matters.
        log.failure("{what} (reference {reference})", failure, what=what, reference=reference)
    return answer.internalError(reference)


def reasonOf(error: BaseException | None) -> str:
    """Why something failed, in words for the log or the administrator."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def tookTooLong(result: object, seconds: float) -> NoReturn:
    """What C{Deferred.addTimeout} is to do with what was cancelled: say why, for the log."""
    raise DirectoryError(f"took longer than {seconds} seconds")
