"""
What a plugin provides, in a module of C{twisted.plugins}: it provides
L{twisted.plugin.IPlugin} too. docs/extending.md has an example of each.
"""

# Zope's interfaces describe methods without self.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from zope.interface import Attribute, Interface

from fingerd.model.interfaces import IDirectory, IFingerService, IListener, IStore
from fingerd.model.limits import Limits

__all__ = ["IDirectoryScheme", "IDoor", "IStoreScheme"]


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


class IStoreScheme(Interface):
    """
    A kind of store, as the option C{--state SCHEME:REST} names it. A plugin provides this and
    L{twisted.plugin.IPlugin}, in a module of C{twisted.plugins}.
    """

    scheme: str = Attribute("What stands before the colon: lower case letters and digits.")
    shared: bool = Attribute(
        "Whether several processes can have such a store at the same time, as with --workers, and "
        "each shows what the others have set."
    )

    def store(rest: str, reactor: object, limits: Limits) -> IStore:
        """
        The store that ``rest``, what stands behind the colon, describes. It may be a service, and
        is then started and stopped with the daemon; it opens nothing before it is started.

        @raise ValueError: when it describes none, with the reason in words.
        """


class IDoor(Interface):
    """
    A kind of door, as the option C{--door NAME:ENDPOINT} names it. A plugin provides this and
    L{twisted.plugin.IPlugin}, in a module of C{twisted.plugins}.
    """

    name: str = Attribute("What stands before the first colon.")

    def listener(
        service: IFingerService, endpoint: str, reactor: object, limits: Limits
    ) -> IListener:
        """
        The door. It is a service, which opens the door when it starts and closes it when it stops.

        @param service: what the door asks. It provides L{IFingerSetterService} too.
        @param endpoint: an endpoint string of Twisted's.
        @raise ValueError: when C{endpoint} describes none, with the reason in words.
        """
