"""Users given by the program itself, as in the talk: C{GivenUsers(moshez="Happy and well")}."""

from __future__ import annotations

from itertools import islice

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from fingerd.model.interfaces import ICounted, IHeldDirectory
from fingerd.model.user import User

__all__ = ["GivenUsers"]


@implementer(IHeldDirectory, ICounted)
class GivenUsers:
    """Users and their statuses, which never change."""

    def __init__(self, **statuses: str) -> None:
        """
        @param statuses: by login.
        """
        self._users = {login: User(login, status=text) for login, text in statuses.items()}

    def __len__(self) -> int:
        return len(self._users)

    def held(self, login: str) -> User | None:
        return self._users.get(login)

    def getUser(self, login: str) -> Deferred[User | None]:
        return succeed(self.held(login))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed(list(islice(self._users.values(), limit)))


def fromURL(rest: str, reactor: object, limits: object) -> GivenUsers:
    """
    Nobody: the directory that ``none:`` names.

    @raise ValueError: when anything stands behind the colon.
    """
    if rest:
        raise ValueError("nothing stands behind none:")
    return GivenUsers()
