"""
The seams of the daemon.

A door (a protocol) asks an L{IFingerService} and nothing else; the service asks its
L{IDirectory} objects who there is, and its L{IStatusStore} what they have set.
"""

# Zope's interfaces describe methods without self.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from fingerd.model.limits import Limits
from fingerd.model.listing import Listing
from fingerd.model.query import Name
from fingerd.model.record import Setter, Status
from fingerd.model.user import User


class IFingerService(Interface):
    """Who there is, and how they are: all that a door knows."""

    def getUser(login: str, verbose: bool = False) -> Deferred[User | None]:
        """
        The user called ``login``, or None where there is none, or none that may be seen.

        The Deferred fails where a directory fails: that is never "no such user". Cancelling
        it cancels the work done for it.

        @param verbose: ask for all there is to tell.
        """

    def findUsers(name: str, verbose: bool = False) -> Deferred[Sequence[User]]:
        """
        The user whose login is ``name`` or, where the administrator wants that and there is none,
        the users who have it in their full name (RFC 1288 2.5.3). It fails and can be cancelled
        as C{getUser} can.
        """

    def getUsers(verbose: bool = False) -> Deferred[Listing]:
        """
        All that may be listed: a bounded number of users, in the directories' own order, and
        which directories failed. It fails with L{ListRefused} where there is no list, and where
        all directories fail.
        """


class IFingerSetterService(Interface):
    """Where statuses are set."""

    def setUser(login: str, status: str, by: Setter, until: float | None = None) -> Deferred[None]:
        """
        Set the status of the user called ``login``; an empty one clears what was set.

        @param by: who asks for it. Whether they may is the service's business.
        @param until: when it ends, in seconds since the epoch; the status before it then shows
            again. None is for good.
        @return: fires when the status is safely kept, not before. It fails with
            L{SettingRefused}, which has words for the client, when nothing was changed.
        """


class IDirectory(Interface):
    """A source of users."""

    def getUser(login: str) -> Deferred[User | None]:
        """
        The user called ``login``. None is "not one of mine": the next directory is asked. A
        failure is a failure, and no other directory answers for it; L{DirectoryError} is one
        that was foreseen. Cancelling the Deferred, when the client has gone or waited too
        long, ends the work done for it.
        """

    def getUsers(limit: int) -> Deferred[list[User]]:
        """At most ``limit`` of the users, the first ones in this directory's own order."""


class IHeldDirectory(IDirectory):
    """A directory that has its users in memory."""

    def held(login: str) -> User | None:
        """As C{getUser}, at once; it never fails."""


class IVerboseDirectory(IDirectory):
    """A directory that has more to tell where a client asks for it (``/W``, RFC 1288 2.5.4)."""

    def getVerboseUser(login: str) -> Deferred[User | None]:
        """As C{getUser}, with all there is to tell."""

    def getVerboseUsers(limit: int) -> Deferred[list[User]]:
        """As C{getUsers}, with all there is to tell."""


class IForwarder(Interface):
    """What passes queries on to other hosts (RFC 1288 2.4), where that is allowed."""

    def forward(name: Name, verbose: bool) -> Deferred[str | None]:
        """
        What ``name.host`` says when it is asked for ``name.user``, with LF line ends and as it
        came; None where it is not to be asked. It fails with L{DirectoryError} where the host
        can't answer. Cancelling the Deferred ends the work done for it.
        """


class IDirectoryScheme(Interface):
    """
    A kind of directory, as the option C{--directory SCHEME:REST} names it. A plugin provides
    this and L{twisted.plugin.IPlugin}, in a module of C{twisted.plugins}.
    """

    scheme: str = Attribute("What stands before the colon.")

    def directory(rest: str, reactor: object, limits: Limits) -> IDirectory:
        """
        The directory that ``rest``, what stands behind the colon, describes. It may be a
        service, and is then started and stopped with the daemon.

        @raise ValueError: when it describes none, with the reason in words.
        """


class IReloadable(Interface):
    """A directory that holds a copy of something that can change."""

    def reload() -> Deferred[None]:
        """
        Look for changes and take them over. Whatever fails is said in the log and leaves the
        users as they were: the Deferred never fails.
        """


class ICounted(Interface):
    """A directory that knows at once how many users it has."""

    def __len__() -> int:
        """How many users there are."""


class IStatusStore(Interface):
    """The statuses that were set. What it has been given stays until it is told otherwise."""

    def getStatus(login: str) -> Deferred[Status | None]:
        """What ``login`` has set and has not expired, or None."""

    def getStatuses(logins: Sequence[str]) -> Deferred[Mapping[str, Status]]:
        """What those of ``logins`` have set of whom something shows."""

    def getLogins(limit: int) -> Deferred[Sequence[str]]:
        """Those of whom something shows: at most ``limit``."""

    def held(login: str) -> Status | None:
        """As C{getStatus}, at once: what shows is in memory."""

    def setStatus(login: str, status: Status) -> Deferred[None]:
        """
        Let ``status`` show for ``login``, or with an empty text nothing.

        The Deferred fires when it is safely kept, not before. It fails with L{SettingRefused},
        which has words for the client, when nothing was changed.
        """


class IQueryLog(Interface):
    """Where queries are logged (RFC 1288 3.2.7)."""

    def asked(
        peer: str | None, door: str, query: bytes, outcome: str, size: int, seconds: float
    ) -> None:
        """
        A query was answered, or its client has gone. It never fails.

        @param peer: the client's IP address, where it has one.
        @param door: which port it came to, in a word.
        @param query: the request line, as it came.
        @param outcome: what became of it; see L{fingerd.model.outcome.Outcome}.
        @param size: the answer's bytes.
        @param seconds: from the connection's beginning to the answer.
        """
