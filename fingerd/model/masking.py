"""
Users who, from outside, don't exist.

What a directory says of such a user is dropped. A directory that has only finished text, such as
another finger server, may say more than it was asked: its list has everyone, and a program that
matches real names answers for others than the one named. So its text is searched for these users
too. The text is cleaned first: a character that is never shown, in the middle of a name, would hide
the name from the search, but not from the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from fingerd.model.user import User
from fingerd.text.cleaning import clean

__all__ = ["Mask"]

# Where the record of a user begins, in the forms of finger(1) and of other servers.
_RECORD = re.compile(r"^(?:login(?: name)?|user(?: ?name)?)[ \t]*:", re.I | re.M)
# A login ends where no login goes on: "root" isn't in "rooted", nor in "my-root".
_WORD = re.compile(r"(?<![\w.-])(?:[\w-]|\.(?=\w))+")


class Mask:
    """Hides these logins, whoever else would show them."""

    def __init__(self, logins: Iterable[str] = (), exactly: Iterable[str] = ()) -> None:
        """
        @param logins: in whatever case they are written.
        @param exactly: logins that are hidden as they are written, and no user of a like name is.
            Finished text of other sources is searched for these too in every case.
        """
        self._logins = frozenset(login.casefold() for login in logins)
        self._exactly = frozenset(exactly)
        names = self._logins | {login.casefold() for login in self._exactly}
        # Most logins are a word each, and words are found in no time, however many are looked for.
        self._words = frozenset(filter(_WORD.fullmatch, names))
        others = "|".join(map(re.escape, sorted(names - self._words)))
        self._other = re.compile(rf"(?<![\w.-])(?:{others})(?![\w-]|\.\w)") if others else None

    def __bool__(self) -> bool:
        """Whether it hides anybody."""
        return bool(self._words) or self._other is not None

    def hides(self, login: str) -> bool:
        """Whether there is no user ``login`` from outside."""
        return login in self._exactly or login.casefold() in self._logins

    def and_(self, exactly: frozenset[str]) -> Mask:
        """A mask that hides these too, exactly as they are written."""
        return Mask(self._logins, exactly) if exactly else self

    def user(self, user: User | None) -> User | None:
        """``user``, without hidden users' records in the report; None where nothing is left."""
        if user is None or not self or not user.report:
            return user
        report = clean(user.report)
        if self._isIn(report):
            report = "".join(record for record in _records(report) if not self._isOfHidden(record))
            if not report.strip():
                return None
        return user._replace(report=report)

    def users(self, users: Iterable[User]) -> list[User]:
        """
        Those of ``users`` who may be seen. A report loses the records of hidden users, which it has
        where the list was asked for with C{/W}, and the lines that name one. A report that has
        nothing left is dropped.
        """
        if not self:
            return list(users)
        seen = []
        for user in users:
            if not user.report:
                if not self.hides(user.login):
                    seen.append(user)
            # The login of a report is what its source is called: nobody asks for that.
            elif report := self._listed(clean(user.report)):
                seen.append(user._replace(report=report))
        return seen

    def _listed(self, report: str) -> str:
        if not self._isIn(report):
            return report
        # What comes before the first record is a table: each of its lines is about another user.
        whole = (
            record
            for record in _records(report)
            if _RECORD.match(record) is None or not self._isOfHidden(record)
        )
        lines = "".join(whole).split("\n")
        return "\n".join(line for line in lines if not self._isIn(line))

    def _isOfHidden(self, record: str) -> bool:
        # What names the user of a record is its first line; the rest is what they wrote.
        return self._isIn(record.partition("\n")[0])

    def _isIn(self, text: str) -> bool:
        """Whether C{text} names somebody who is hidden."""
        text = text.casefold()
        if not self._words.isdisjoint(_WORD.findall(text)):
            return True
        return self._other is not None and self._other.search(text) is not None


def _records(report: str) -> list[str]:
    """A report, cut before each line that begins a user's record."""
    edges = sorted({0, *(match.start() for match in _RECORD.finditer(report)), len(report)})
    return [report[start:end] for start, end in pairwise(edges)]
