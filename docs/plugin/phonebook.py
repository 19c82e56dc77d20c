"""Users in a CSV file with a first line ``login,name,office,phone``, as spreadsheets save it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from itertools import islice

from twisted.internet.defer import Deferred, succeed
from twisted.plugin import IPlugin
from zope.interface import implementer

from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import Limits
from fingerd.model.plugins import IDirectoryScheme
from fingerd.model.user import User


@implementer(IDirectory)
class PhoneBook:
    """Users who are known from the start and never change."""

    def __init__(self, users: Iterable[User]) -> None:
        self._users = {user.login: user for user in users}

    def getUser(self, login: str) -> Deferred[User | None]:
        """The user, or None: then the next directory is asked."""
        return succeed(self._users.get(login))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        """The first ``limit`` users, for the list."""
        return succeed(list(islice(self._users.values(), limit)))


@implementer(IPlugin, IDirectoryScheme)
class PhoneBookScheme:
    """What ``--directory phonebook:FILE`` means."""

    scheme = "phonebook"

    def directory(self, rest: str, reactor: object, limits: Limits) -> IDirectory:
        """
        Called once, at the start, and as root where root started the daemon.

        @raise ValueError: when there is no such file, or it is not of that kind. The daemon
            doesn't start then, and says so.
        """
        try:
            with open(rest, encoding="utf-8", newline="") as file:
                return PhoneBook(
                    User(
                        row["login"],
                        name=row["name"],
                        office=row["office"],
                        officePhone=row["phone"],
                    )
                    for row in csv.DictReader(file, restval="")
                )
        except OSError as error:
            raise ValueError(f"can't read it: {error.strerror}") from None
        except KeyError as error:
            raise ValueError(f"it has no column {error}") from None
