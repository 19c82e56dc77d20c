"""
From a L{Query} to the bytes of its answer: who is asked, and what is said when that fails.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd import answer
from fingerd.failing import internalError, tookTooLong
from fingerd.interfaces import IFingerService, IForwarder, ListRefused
from fingerd.limits import Limits
from fingerd.listing import Listing
from fingerd.query import Name, Query
from fingerd.rules import DEFAULT_RULES, Rules
from fingerd.user import User


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
        rules: Rules = DEFAULT_RULES,
        forwarder: IForwarder | None = None,
    ) -> None:
        """
        @param forwarder: what asks other hosts. Without one, no query is forwarded.
        """
        self._service = service
        self._limits = limits
        self._clock = clock
        self._views = rules.views
        self._replacements = rules.replacements
        self._forwarder = forwarder
        # The latest lists, verbose and not, with what they were made of.
        self._lists: dict[bool, tuple[Listing, str]] = {}

    def ask(self, query: Query) -> Deferred[bytes]:
        """
        The answer to ``query``. It never fails. To cancel it, because the client has gone, is to
        cancel all that is still being asked for it; what it then fires with is of no use.
        """
        if not query.names:
            text = self._askList(query.verbose)
        elif len(query.names) == 1:
            text = self._askName(query.names[0], query.verbose)
        else:
            text = self._askSeveral(query.names, query.verbose)
        return text.addCallback(answer.encode, self._limits.answerSize)

    def _askList(self, verbose: bool) -> Deferred[str]:
        listed = self._service.getUsers(verbose).addCallback(self._ofListing, verbose)
        return self._bounded(listed.addErrback(_ofRefusal), "listing the users")

    def _ofListing(self, listing: Listing, verbose: bool) -> str:
        last, text = self._lists.get(verbose, (None, ""))
        if last is listing:
            return text
        size = self._limits.answerSize
        if verbose:
            views, now = self._views.verbose, time.time()
            text = answer.ofUsersInFull(listing, views, now, self._replacements, size)
        else:
            text = answer.ofUsers(listing, self._views.list, self._replacements, size)
        self._lists[verbose] = listing, text
        return text

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
        lookup = self._service.findUsers(name.user, verbose).addCallback(self._ofUsers, verbose)
        return self._bounded(lookup, f"looking up {name.user!r}")

    def _ofUsers(self, users: Sequence[User], verbose: bool) -> str:
        fields, now = self._views.ofOne(verbose), time.time()
        texts = [answer.ofUser(user, fields, now) for user in users]
        return self._replaced("\n\n".join(texts) or answer.NO_SUCH_USER)

    def _replaced(self, text: str) -> str:
        if not self._replacements:
            return text
        return self._replacements(text, self._limits.answerSize)

    def _forward(self, name: Name, verbose: bool) -> Deferred[str]:
        if self._forwarder is None:
            return succeed(answer.FORWARDING_DENIED)
        forwarded = self._forwarder.forward(name, verbose).addCallback(self._ofForwarded)
        return self._bounded(forwarded, f"forwarding {name.user!r} to {name.host!r}")

    def _ofForwarded(self, text: str | None) -> str:
        return answer.FORWARDING_DENIED if text is None else self._replaced(answer.clean(text))

    def _bounded(self, lookup: Deferred[str], what: str) -> Deferred[str]:
        # Most lookups have their result by now and need no timer.
        if not lookup.called or lookup.paused:
            lookup.addTimeout(self._limits.lookupTime, self._clock, tookTooLong)
        return lookup.addErrback(self._failed, what)

    def _failed(self, failure: Failure, what: str) -> str:
        failure.trap(Exception)
        if failure.check(CancelledError):
            # The client has gone: nothing went wrong, and nobody reads the answer.
            return answer.INTERNAL_ERROR
        return internalError(self._log, failure, what)


def _ofRefusal(failure: Failure) -> str:
    failure.trap(ListRefused)
    return answer.LIST_DENIED
