"""
From a L{Query} to the bytes of its answer: who is asked, and what is said when that fails.
"""

from __future__ import annotations

from typing import NoReturn

from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd import answer
from fingerd.failing import internalError
from fingerd.interfaces import DirectoryError, IFingerService, IForwarder
from fingerd.limits import Limits
from fingerd.query import Name, Query


class Asker:
    """
    Asks a service what a query wants to know.

    A lookup has ``limits.lookupTime`` seconds; what fails or takes longer is said in words, its
    reason goes into the log and never to the client.
    """

    _log = Logger()

    def __init__(
        self,
        service: IFingerService,
        limits: Limits,
        clock: IReactorTime,
        forwarder: IForwarder | None = None,
    ) -> None:
        """
        @param forwarder: what asks other hosts. Without one, no query is forwarded.
        """
        self._service = service
        self._limits = limits
        self._clock = clock
        self._forwarder = forwarder

    def ask(self, query: Query) -> Deferred[bytes]:
        """
        The answer to ``query``. It never fails. To cancel it, because the client has gone, is to
        cancel all that is still being asked for it; what it then fires with is of no use.
        """
        if not query.names:
            text = self._bounded(
                self._service.getUsers().addCallback(answer.ofUsers), "listing the users"
            )
        elif len(query.names) == 1:
            text = self._askName(query.names[0], query.verbose)
        else:
            text = self._askSeveral(query.names, query.verbose)
        return text.addCallback(answer.encode, self._limits.answerSize)

    def _askSeveral(self, names: tuple[Name, ...], verbose: bool) -> Deferred[str]:
        asked = names[: self._limits.namesPerQuery]
        answers = gatherResults(
            [self._askName(name, verbose) for name in asked], consumeErrors=True
        )

        def join(texts: list[str]) -> str:
            labels = (
                name.user if name.host is None else f"{name.user}@{name.host}" for name in asked
            )
            return answer.ofSeveral(zip(labels, texts, strict=True), len(names) - len(asked))

        return answers.addCallback(join)

    def _askName(self, name: Name, verbose: bool) -> Deferred[str]:
        if name.host is not None:
            return self._forward(name, verbose)
        lookup = self._service.getUser(name.user).addCallback(answer.ofUser)
        return self._bounded(lookup, f"looking up {name.user!r}")

    def _forward(self, name: Name, verbose: bool) -> Deferred[str]:
        if self._forwarder is None:
            return succeed(answer.FORWARDING_DENIED)
        forwarded = self._forwarder.forward(name, verbose).addCallback(_ofForwarded)
        return self._bounded(forwarded, f"forwarding {name.user!r} to {name.host!r}")

    def _bounded(self, lookup: Deferred[str], what: str) -> Deferred[str]:
        # Most lookups have their result by now and need no timer.
        if not lookup.called or lookup.paused:
            lookup.addTimeout(self._limits.lookupTime, self._clock, _tookTooLong)
        return lookup.addErrback(self._failed, what)

    def _failed(self, failure: Failure, what: str) -> str:
        failure.trap(Exception)
        if failure.check(CancelledError):
            # The client has gone: nothing went wrong, and nobody reads the answer.
            return answer.INTERNAL_ERROR
        return internalError(self._log, failure, what)


def _ofForwarded(text: str | None) -> str:
    return answer.FORWARDING_DENIED if text is None else answer.clean(text)


def _tookTooLong(result: object, seconds: float) -> NoReturn:
    raise DirectoryError(f"took longer than {seconds} seconds")
