"""What a door and the service agree on about a client at the door."""

# Zope's interfaces describe methods without self.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Callable

from zope.interface import Attribute, Interface

from fingerd.model.reply import Outcome

__all__ = ["IVisit", "IVisits"]


class IVisit(Interface):
    """
    One client at one door, from its first moment to its last.

    Whoever holds a visit holds its place among those that there may be, and sees to it that the
    client leaves. A visit is passed on, when a connection changes hands, and never made again.
    """

    door: str = Attribute("What the door is called in the query log.")
    host: str | None = Attribute("The client's IP address, where it has one.")
    peer: str | None = Attribute("Whom the client counts as, where clients are counted.")
    began: float = Attribute("When the visit began, in seconds by the reactor's clock.")
    line: bytes = Attribute(
        "What the client asks, as it came, for the query log; the door sets it."
    )
    present: bool = Attribute("Whether the client can still be answered.")
    end: Callable[[], object] = Attribute(
        "Closes the connection at once, whatever is still to be sent; whoever holds the visit sets "
        "it. It is called when the visit's time is over or its place is needed."
    )

    def arrived(host: str) -> bool:
        """
        The client turns out to be at C{host}, behind a load balancer. The visit began as nobody's.

        @return: whether it may stay. Where it may not, close the connection and leave.
        """

    def again() -> None:
        """
        The client, which has its answer, begins to ask anew, at a door where it may: its time to be
        answered counts from now on, and its place is no longer the first to be given away.
        """

    def waits() -> None:
        """The client has asked, and waits for the reply. L{IFingerService.ask} calls this."""

    def answered(outcome: Outcome, size: int, unsent: int = 0) -> bool:
        """
        The client gets its answer now. This logs the query.

        @param size: the bytes of the answer.
        @param unsent: how many of them are to be kept until the client takes them.
        @return: whether to send it: False where the client is gone, or where too many bytes are
            unsent and this client's are given up.
        """

    def close() -> None:
        """
        End the visit: C{end} is called, unless the client has left or is being ended already. The
        place is free when the client has left.
        """

    def served(outcome: Outcome, size: int) -> None:
        """
        The client has been given its answer of C{size} bytes, and the daemon is done with it. This
        logs the query, and the visit is over.
        """

    def leave() -> None:
        """The client has left. To call this again changes nothing."""


class IVisits(Interface):
    """The visits at all doors of one kind."""

    def opened() -> None:
        """A door is open: clients may come in."""

    def closed() -> None:
        """A door that was open is closed: nobody comes in by it any more."""

    def enter(
        door: str,
        host: str | None,
        end: Callable[[], object],
        lookedAt: bool = False,
        peer: str | None = None,
    ) -> IVisit | None:
        """
        Let a client in.

        @param door: what the door is called in the query log.
        @param host: the client's IP address, where it has one.
        @param end: see L{IVisit}.
        @param lookedAt: whether the door has looked for what the client has sent already. Else no
            newcomer gets this client's place before the reactor has had the time to do so.
        @param peer: whom the client counts as, where that isn't the client's host.
        @return: None where there is no place for the client: close its connection.
        """

    def makeRoom() -> bool:
        """
        End the visit that matters least, where the system has no room for another.

        @return: whether there was a visit to end.
        """
