"""
Users who, from outside, don't exist.

A directory that knows its users one by one just isn't asked for these. One that has only finished
text, such as another finger server, may say more than it was asked: its list has everyone, and a
program that matches real names answers for others than the one named. So what it says is looked
through for these users too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from fingerd.user import User

# Where the record of a user begins, in the forms of finger(1) and of other servers.
_RECORD = re.compile(r"^(?:login(?: name)?|user(?: ?name)?)[ \t]*:", re.I | re.M)


class Mask:
    """Hides these logins, whoever else would show them."""

    def __init__(self, logins: Iterable[str] = ()) -> None:
        self._logins = frozenset(login.casefold() for login in logins)
        # A login ends where no login goes on: "root" isn't in "rooted", nor in "my-root".
        names = "|".join(re.escape(login) for login in sorted(self._logins))
        self._word = re.compile(rf"(?<![\w.-])(?:{names})(?![\w-]|\.\w)", re.I) if names else None

    def hides(self, login: str) -> bool:
        """Whether there is no user ``login`` from outside, in whatever case it is written."""
        return login.casefold() in self._logins

    def user(self, user: User | None) -> User | None:
        """``user``, without the records of others in its report; None where nothing is left."""
        if user is None or self._word is None or not user.report:
            return user
        records = _records(user.report)
        kept = [record for record in records if not self._isOfHidden(record)]
        if len(kept) == len(records):
            return user
        text = "".join(kept)
        return user._replace(report=text) if text.strip() else None

    def users(self, users: Iterable[User]) -> list[User]:
        """
        Those of ``users`` who may be seen; a report loses the records of others, as they are in a
        list that was asked for with C{/W}, and the lines that name one.
        """
        if self._word is None:
            return list(users)
        # The login of a report is what its source is called: nobody asks for that.
        return [
            self._listed(user) if user.report else user
            for user in users
            if user.report or not self.hides(user.login)
        ]

    def _listed(self, user: User) -> User:
        if self._word is None:
            return user
        # What comes before the first record is a table, whose first line heads no others.
        whole = (
            record
            for record in _records(user.report)
            if _RECORD.match(record) is None or not self._isOfHidden(record)
        )
        lines = "".join(whole).split("\n")
        kept = [line for line in lines if self._word.search(line) is None]
        return user._replace(report="\n".join(kept))

    def _isOfHidden(self, record: str) -> bool:
        # What names the user of a record is its first line; the rest is what they wrote.
        return self._word is not None and self._word.search(record.partition("\n")[0]) is not None


def _records(report: str) -> list[str]:
    """A report, cut before each line that begins a user's record."""
    edges = sorted({0, *(match.start() for match in _RECORD.finditer(report)), len(report)})
    return [report[start:end] for start, end in pairwise(edges)]
