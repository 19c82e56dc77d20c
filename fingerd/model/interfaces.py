"""
The seams of the daemon.

A door (a protocol) asks an L{IFingerService} and nothing else; the service asks its
L{IDirectory} objects who there is, and its L{IStore} what they have set.
"""

# Zope's interfaces describe methods without self.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolFactory
from zope.interface import Attribute, Interface

from fingerd.model.counts import Figures, Readings
from fingerd.model.query import Name, Query
from fingerd.model.record import Change, Changed, Entry, Part, Record, Setter
from fingerd.model.reply import Reply
from fingerd.model.user import User
from fingerd.model.visiting import IVisit, IVisits

__all__ = [
    "ICounted",
    "IDirectory",
    "IFingerService",
    "IFingerSetterService",
    "IForwarder",
    "IHeldDirectory",
    "IListener",
    "IQueryLog",
    "IReloadable",
    "IStore",
    "IVerboseDirectory",
]


class IFingerService(Interface):
    """Who there is, and how they are: all that a door knows."""

    visits: IVisits = Attribute("The visits at the doors where users are asked for.")

    def ask(query: Query, visit: IVisit) -> Deferred[Reply]:
        """
        What may be said to C{query}, at this door and to this visitor.

        The Deferred never fails. Cancelling it, when the client has gone, cancels the work done for
        the client; the reply that the Deferred then fires with is of no use.
        """

    def askNow(login: str, visit: IVisit) -> Reply | None:
        """
        As C{ask} for the one name C{login}, at once; None where that needs C{ask}. It never fails.
        """

    def history(login: str, visit: IVisit, most: int) -> Deferred[Reply]:
        """
        As C{ask} for the one name C{login}. Where that is a user's login, and statuses are shown,
        the reply has a C{history} too: the newest C{most} that this user has set.
        """

    def latest(visit: IVisit, most: int, each: int) -> Deferred[Reply]:
        """
        As C{ask} for the list, with the C{latest} statuses of all who are in it, where the list
        shows statuses: the newest C{most}, of which C{each} at most are one user's. With no C{each}
        there is only what shows now.
        """

    def getFingerFactory() -> IProtocolFactory:
        """The factory of a finger port."""


class IFingerSetterService(Interface):
    """Where users set what is shown of them."""

    setters: IVisits = Attribute(
        "The visits at the doors where users of this machine set something."
    )

    def set(login: str, change: Change, by: Setter) -> Deferred[Changed]:
        """
        Let C{change} show for the user called C{login}.

        All rules of what can be set are in here: its length, its characters, how long it lasts, and
        whether C{by} may set it.

        @return: fires with what was changed when that is safely kept, not before. It fails with
            L{SettingRefused<fingerd.model.errors.SettingRefused>}, which has words for the client,
            when nothing was changed, and with nothing else. So it is with all that follow.
        """

    def undo(login: str, by: Setter) -> Deferred[Changed]:
        """Take back what was set last for the user called C{login}."""

    def erase(login: str, by: Setter) -> Deferred[None]:
        """Forget all that was ever set for the user called C{login}."""

    def record(login: str, by: Setter) -> Deferred[Record]:
        """What is set for the user called C{login}: told to those who may set it."""

    def changes(login: str, by: Setter) -> Deferred[Sequence[Entry]]:
        """All that is kept of what was set for the user called C{login}, the newest first."""

    def refused(by: Setter, reason: str) -> None:
        """Log that C{by} asked for what is no change at all, and was told C{reason}."""


class IRemoteSetterService(IFingerService, IFingerSetterService):
    """Where users do that from elsewhere, once their login is proven, and see what shows."""

    remoteSetters: IVisits = Attribute("The visits at the doors where they do.")

    def mayLogIn(visit: IVisit) -> bool:
        """Whether the peer of C{visit} may try once more to log in: to find out costs time."""

    def keysOf(login: str) -> str:
        """
        The public keys that prove that somebody is C{login}, a line each as in authorized_keys;
        nothing where there are none. It never fails.
        """


class IMeasured(Interface):
    """What can be measured."""

    measurers: IVisits = Attribute("The visits at the doors where it is measured.")

    def figures() -> Deferred[Figures]:
        """Everything there is to measure, as it is at this moment. It never fails."""


class IDirectory(Interface):
    """A source of users."""

    def getUser(login: str) -> Deferred[User | None]:
        """
        The user called ``login``. None is "not one of mine": the next directory is asked.
        L{HIDDEN<fingerd.model.user.HIDDEN>} is "mine, and not to be shown": unless another
        directory shows that user, they are to the client as one whom nobody knows, whatever they
        set. A failure is a failure, and no other directory answers for it;
        L{DirectoryError<fingerd.model.errors.DirectoryError>} is one that was foreseen. Cancelling
        the Deferred, when the client has gone or waited too long, ends the work done for it.
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


class IKeyring(Interface):
    """A directory, or another source, that has users' public SSH keys in memory."""

    def keysOf(login: str) -> str:
        """
        The keys of C{login}, a line each as in authorized_keys; nothing where there are none. It
        never fails.
        """


class IForwarder(Interface):
    """What passes queries on to other hosts (RFC 1288 2.4), where that is allowed."""

    def forward(name: Name, verbose: bool) -> Deferred[str | None]:
        """
        What ``name.host`` says when it is asked for ``name.user``, with LF line ends and as it
        came; None where it is not to be asked. It fails with L{DirectoryError} where the host
        can't answer. Cancelling the Deferred ends the work done for it.
        """


class IListener(Interface):
    """An open door. It is a service too (L{twisted.application.service.IService})."""

    address: IAddress | None = Attribute("Where it listens, or None where it doesn't, or not yet.")


class IReloadable(Interface):
    """A directory, or another source, that holds a copy of something that can change."""

    def reload() -> Deferred[None]:
        """
        Look for changes and take them over. Whatever fails is said in the log and leaves the
        users as they were: the Deferred never fails. It doesn't wait for ever for what hangs.
        """


class IWatching(IReloadable):
    """A directory that tells how the readings went of what it holds a copy of."""

    readings: Readings | None = Attribute("How they went; None where it holds no copy after all.")


class ITried(Interface):
    """A directory that can say, before it is started, why it couldn't be."""

    def tryToStart() -> None:
        """
        Look whether it could be started. Nothing is read, and nothing takes long.

        @raise ValueError: when it couldn't, with the reason in words.
        """


class IWithHomes(Interface):
    """A directory that reads what is in users' homes."""

    def closedHomes() -> list[str]:
        """The logins of those whose home this process can't look into. This may block."""


class ICounted(Interface):
    """A directory that knows at once how many users it has."""

    def __len__() -> int:
        """How many users there are."""


class IStore(Interface):
    """
    The records of what users have set. What it has been given stays until it is told otherwise.

    A Deferred of a change fires when the change is safely kept, not before: from then on C{held}
    has it. It fails with L{SettingRefused}, which has words for the client, when nothing was
    changed.
    """

    def held(login: str) -> Record:
        """What C{login} has set and has not expired, at once: what shows is in memory."""

    def logins(limit: int) -> Sequence[str]:
        """The logins for whom something shows, at once: at most C{limit}."""

    def hidden() -> Collection[str]:
        """The logins of those who have hidden themselves, at once."""

    def set(login: str, entry: Entry) -> Deferred[None]:
        """Let C{entry} show for C{login}; where its text is empty, what the directories say."""

    def undo(login: str) -> Deferred[Part | None]:
        """
        Take back what C{login} has set last, of what has not expired, as though it had never been
        set. It fires with the part; with None where nothing is left.
        """

    def erase(login: str) -> Deferred[None]:
        """Forget all that C{login} has ever set."""

    def history(
        login: str, most: int, whole: bool = False, ended: bool = False
    ) -> Deferred[Sequence[Entry]]:
        """
        What C{login} has set, the newest first: at most C{most} statuses that have not expired and
        were not cleared since. It fails with L{DirectoryError} where it can't be read now.

        @param ended: those that have expired are among them.
        @param whole: instead, the newest C{most} changes that are kept, of every part, clearings
            among them.
        """

    def onChange(callback: Callable[[], object]) -> None:
        """Call this whenever what shows has changed, by whomever, before that is acknowledged."""


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
        @param outcome: what became of it; see L{fingerd.model.reply.Outcome}.
        @param size: the answer's bytes.
        @param seconds: from the connection's beginning to the answer.
        """
