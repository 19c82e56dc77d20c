"""What may be shown of a user: reduced to some fields, cleaned, with texts replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fingerd.model.fields import SEVERAL_LINES, Field, Fields
from fingerd.model.record import Entry
from fingerd.model.user import User, isBare
from fingerd.text.cleaning import clean, cleanLine, cleanLines
from fingerd.text.replacing import Replacements

# As much of a text as a list shows: many times what a line has room for, since characters may take
# no room, but not a whole plan for each of thousands of users.
_LISTED_TEXT = 320

_STATUS = Field.STATUS
# The field of each attribute of a user; None for an attribute that is no field.
_FIELDS = tuple(Field(name) if name in list(Field) else None for name in User._fields)


class Shown:
    """Makes of users what may be shown of them."""

    def __init__(self, replacements: Replacements, size: int) -> None:
        """
        @param size: how many characters a text has at most. More would never be sent.
        """
        self._replacements = replacements
        self._replaces = bool(replacements)
        self._size = size

    def words(self, text: str) -> str:
        """A clean text as it may be shown."""
        return self._replacements(text, self._size) if self._replaces else text

    def user(self, user: User, fields: Fields) -> User:
        """What may be shown of a user whom a client asks for."""
        if isBare(user) and not self._replaces and _STATUS in fields:
            # Most users are no more than that, where they come from a users file.
            status = cleanLines(user.status)
            return user if status is user.status else user._replace(status=status)
        if user.report and (report := clean(user.report).rstrip()):
            return self._report(user, report, fields)
        return self._reduced(user, fields, self._text)

    def listed(self, user: User, fields: Fields) -> User:
        """What may be shown of a user in a list: the first line of each text."""
        if user.report:
            return self._listedReport(user)
        return self._reduced(user, fields, self._cell)

    def listedInFull(self, user: User, fields: Fields) -> User:
        """What may be shown of a user in a list with all there is to tell."""
        if user.report:
            return self._listedReport(user)
        return self._reduced(user, fields, self._text)

    def _listedReport(self, user: User) -> User:
        # A blank list is a list too: without a report, its source would be taken for a user.
        report = clean(user.report).strip("\n").rstrip()
        return self._report(user, report or "\n", frozenset())

    def statuses(self, statuses: Sequence[Entry]) -> list[Entry]:
        """What may be shown of statuses: what each says, and when it was set."""
        return [Entry(self._text(Field.STATUS, each.text), each.set) for each in statuses]

    def _report(self, user: User, report: str, fields: Fields) -> User:
        # A source's finished text is all that is known of its user, but for what was set here.
        # A report of which replacing leaves nothing is a report all the same.
        kept = User(self.words(cleanLine(user.login)), report=self.words(report) or " ")
        if _STATUS in fields and user.status:
            status = self._text(Field.STATUS, user.status)
            kept = kept._replace(status=status, statusSet=user.statusSet)
            kept = kept._replace(statusUntil=user.statusUntil)
        return kept

    def _reduced(self, user: User, fields: Fields, text: Callable[[Field, str], str]) -> User:
        texts: list[str] = []
        for field, value in zip(_FIELDS, user, strict=True):
            shown = field is not None and field in fields and value
            texts.append(text(field, str(value)) if shown and field is not None else "")
        reduced = User._make(texts)
        if _STATUS not in fields:
            return reduced._replace(statusSet=None, statusUntil=None)
        return reduced._replace(statusSet=user.statusSet, statusUntil=user.statusUntil)

    def _text(self, field: Field, text: str) -> str:
        cleaned = cleanLines(text) if field in SEVERAL_LINES else cleanLine(text).strip()
        return self.words(cleaned)

    def _cell(self, field: Field, text: str) -> str:
        if len(text) > _LISTED_TEXT:
            text = text.lstrip()[:_LISTED_TEXT]
        if not text.isprintable():
            text = clean(text).strip().partition("\n")[0].replace("\t", " ")
        text = text.strip()
        return self._replacements(text, _LISTED_TEXT) if self._replaces else text
