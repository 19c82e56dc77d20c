"""Connections that are visits, whatever is spoken on them."""

from __future__ import annotations

from twisted.internet.interfaces import IProtocolFactory
from zope.interface import Attribute, Interface

from fingerd.model.visiting import IVisit, IVisits


class IVisited(Interface):
    """A protocol whose client is a visitor."""

    visit: IVisit | None = Attribute(
        "The client's visit, from when the connection is made. A connection that changes hands "
        "brings its visit along: it is set here before that."
    )


class IVisitedFactory(IProtocolFactory):
    """What builds such protocols."""

    visits: IVisits = Attribute("Where their clients are let in.")

    def doorOf(host: str | None) -> str:
        """What the door is called in the query log, for a client with this IP address, or none."""
