"""The users of another finger server: the talk's proxy."""

from __future__ import annotations

import re
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IReactorFromThreads,
    IReactorTCP,
    IReactorTime,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.model import texts
from fingerd.model.errors import DirectoryError
from fingerd.model.interfaces import IVerboseDirectory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from fingerd.remote.client import FingerQueries, answerText, requestLine
from fingerd.remote.hosts import HostEndpoint, Resolver, canonicalHost, hostAndPort

_URL = re.compile(r"(?:finger:)?//(\[[^\]]*\]|[^\[\]:/?#@]+)(?::([0-9]{1,5}))?/?", re.IGNORECASE)

# What servers say of a user they don't know.
_NO_SUCH_USER = re.compile(
    # This daemon's own.
    rf"{texts.NO_SUCH_USER}\.?"
    # finger(1) of the BSDs and of Linux.
    r"|finger: .+: no such user\.?"
    # finger(1) of System V, and of what came from it.
    r"|Login name: .+In real life: \?\?\?"
)


@implementer(IVerboseDirectory)
class UpstreamServer:
    """
    The users that another server answers for, in its words: a user has a C{report}.

    The server is asked each time. Queries that are identical and under way at the same time
    share one connection. All that goes wrong is a L{DirectoryError}; that the server itself
    says it failed, as this daemon does, is one too.
    """

    def __init__(
        self,
        host: str,
        port: int,
        reactor: IReactorTCP,
        limits: Limits = DEFAULTS,
        resolver: Resolver | None = None,
    ) -> None:
        """
        @param host: a name or an address.
        @param reactor: what connects and has the time.
        @param resolver: what looks up names, if not one of its own.
        @raise ValueError: for what can't be a host.
        """
        self._endpoint = HostEndpoint(
            canonicalHost(host),
            port,
            reactor,
            resolver or Resolver(cast(IReactorFromThreads, reactor), limits),
        )
        self._queries = FingerQueries(limits, cast(IReactorTime, reactor))

    def __str__(self) -> str:
        return f"finger://{hostAndPort(self._endpoint.host, self._endpoint.port)}"

    def getUser(self, login: str) -> Deferred[User | None]:
        """See L{IDirectory<fingerd.model.interfaces.IDirectory>}."""
        return self._getUser(login, verbose=False)

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        """
        One entry, called as the server is, with the server's list for a report; none where that
        is empty, since an entry without a report is a user.
        """
        return self._getUsers(limit, verbose=False)

    def getVerboseUser(self, login: str) -> Deferred[User | None]:
        """See L{IVerboseDirectory}: C{/W} travels on."""
        return self._getUser(login, verbose=True)

    def getVerboseUsers(self, limit: int) -> Deferred[list[User]]:
        """See L{IVerboseDirectory}: C{/W} travels on."""
        return self._getUsers(limit, verbose=True)

    def _getUser(self, login: str, verbose: bool) -> Deferred[User | None]:
        def found(report: str) -> User | None:
            return None if _isNoSuchUser(report) else User(login, report=report)

        return self._ask(login, verbose).addCallback(found)

    def _getUsers(self, limit: int, verbose: bool) -> Deferred[list[User]]:
        if limit < 1:
            return succeed([])
        host, port = self._endpoint.host, self._endpoint.port
        # Two servers may be on one host: each has a name of its own.
        label = host if port == 79 else hostAndPort(host, port)
        listed = self._ask("", verbose)
        return listed.addCallback(
            lambda report: [User(label, report=report)] if report.strip() else []
        )

    def _ask(self, name: str, verbose: bool) -> Deferred[str]:
        asked = self._queries.ask(self._endpoint, requestLine(name, verbose))
        return asked.addCallback(self._text).addErrback(self._failed)

    def _text(self, data: bytes) -> str:
        text = answerText(data)
        if text.startswith(texts.INTERNAL_ERROR):
            raise DirectoryError(f"it says {text[:200]!r}")
        return text

    def _failed(self, failure: Failure) -> str:
        failure.trap(DirectoryError)
        raise DirectoryError(f"{self}: {failure.getErrorMessage()}") from None


def _isNoSuchUser(report: str) -> bool:
    # Such a line must be the whole report: a user's plan may end in one too. But Debian's
    # in.fingerd may greet first (-w), where a plan can't stand.
    before, _, line = report.strip().rpartition("\n")
    if before and not before.startswith("Welcome to "):
        return False
    return _NO_SUCH_USER.fullmatch(line) is not None


def fromURL(
    url: str,
    reactor: IReactorTCP,
    limits: Limits = DEFAULTS,
    resolver: Resolver | None = None,
) -> UpstreamServer:
    """
    The server that ``finger://HOST`` or ``finger://HOST:PORT`` names, with or without
    ``finger:``; an IPv6 address stands in brackets.

    @raise ValueError: for what names none, with what is wrong with it.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError(f"{url!r} is not finger://HOST or finger://HOST:PORT")
    host, port = parts[1], 79 if parts[2] is None else int(parts[2])
    if not 0 < port < 65536:
        raise ValueError(f"{port} is not a port, in {url!r}")
    return UpstreamServer(host, port, reactor, limits, resolver)
