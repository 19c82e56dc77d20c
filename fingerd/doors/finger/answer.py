"""
What is sent back: from users to bytes.

Every text that a user wrote is cleaned first, see L{fingerd.text.cleaning}. Lines end in CR LF, the
last one too (RFC 1288 2.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter

from fingerd.doors.finger.finger1_layout import age, cleanLines, entry, known, statusLine
from fingerd.model.fields import Field, Fields, Views
from fingerd.model.limits import DEFAULTS
from fingerd.model.listing import Listing
from fingerd.model.texts import NO_STATUS, NO_SUCH_USER
from fingerd.model.user import User
from fingerd.text.cleaning import clean, cleanLine
from fingerd.text.columns import table
from fingerd.text.replacing import NOTHING, Replacements
from fingerd.text.width import beginsCombining

_VIEWS = Views()
# With no more than these, a user is the bare status, and a list has no need of a heading.
_BARE: Fields = frozenset({Field.LOGIN, Field.STATUS})
# As much of a text as is looked at for a list: many times what a line has room for, since
# characters may take no room, but not a whole plan for each of thousands of users.
_LISTED_TEXT = 320


def ofUser(user: User | None, fields: Fields = _VIEWS.user, now: float | None = None) -> str:
    """
    The answer for one user: a source's finished report, or the bare status where nothing else is
    known that may be shown, or else what finger(1) would show.

    @param user: None for one that is unknown, hidden or refused: they look the same.
    @param fields: what may be shown.
    @param now: the time in seconds since the epoch, for the age of the status.
    """
    if user is None:
        return NO_SUCH_USER
    # The office and what follows it: most have none of that, where users come from a users file.
    if Field.STATUS in fields and not (user.name or any(user[4:])):
        return cleanLines(user.status) or NO_STATUS
    texts = known(user, fields)
    if user.report and (report := clean(user.report).rstrip()):
        # The source knows nothing of what was set here.
        status = texts.get(Field.STATUS)
        return f"{report}\n{statusLine(status, age(user.statusSet, now))}" if status else report
    if Field.STATUS in fields and texts.keys() <= _BARE:
        return texts.get(Field.STATUS, NO_STATUS)
    return entry(texts, fields, age(user.statusSet, now))


def ofUsers(
    users: Sequence[User] | Listing,
    fields: Fields = _VIEWS.list,
    replacements: Replacements = NOTHING,
    size: int = DEFAULTS.answerSize,
) -> str:
    """
    The list: a table with a line for each user, and below it the sources' own reports, and what
    is to be said of those that failed, each under its name.

    @param replacements: to be made in it. They can't be made afterwards: a table has its texts
        cut and aligned, and half a word might be left.
    @param size: how many bytes will be sent of it; no more is made than it takes to fill them.
    """
    listing = _listing(users)
    tabled = [user for user in listing.users if not user.report]
    lines = _table(tabled, fields, replacements) if tabled else ()
    rows = "\n".join(_filling(lines, size))
    sections = (replacements(text, size) for text in _sections(listing))
    parts = [rows, *_filling(sections, size - len(rows.encode("utf-8")))]
    return "\n\n".join(filter(None, parts)) or replacements(NO_SUCH_USER, size)


def ofUsersInFull(
    users: Sequence[User] | Listing,
    fields: Fields = _VIEWS.verbose,
    now: float | None = None,
    replacements: Replacements = NOTHING,
    size: int = DEFAULTS.answerSize,
) -> str:
    """
    The list as ``/W`` asks for it (RFC 1288 2.5.4): all there is to show of each user, as for one
    who is asked for by name. The other parameters are as in L{ofUsers}.
    """
    listing = _listing(users)
    tabled = [user for user in listing.users if not user.report]
    more = fields - _BARE
    if not any(getattr(user, field) for user in tabled for field in more):
        # As for one of them, there is no more to tell than the status.
        return ofUsers(listing, _BARE & fields, replacements, size)
    entries = (entry(known(user, fields), fields, age(user.statusSet, now)) for user in tabled)
    texts = (replacements(text, size) for text in chain(entries, _sections(listing)))
    return "\n\n".join(_filling(texts, size)) or replacements(NO_SUCH_USER, size)


def ofSeveral(answers: Iterable[tuple[str, str]], refused: int) -> str:
    """
    The answers to a query for several names, each under the name it belongs to.

    @param answers: pairs of a name as it was asked for and the answer for it.
    @param refused: how many names more were asked for than are answered.
    """
    parts = [_section(name, answer) for name, answer in answers]
    if refused:
        parts.append(f"Too many names in one query: {refused} not answered")
    return "\n\n".join(parts)


def encode(text: str, size: int) -> bytes:
    """
    The bytes of an answer, ``size`` of them at most; what is cut says so in its last line, which
    is there even where the size has no room for it.
    """
    # A character is a byte at least: what is beyond the size needn't be looked at.
    data = (text[: size + 1] + "\n").replace("\n", "\r\n").encode("utf-8")
    if len(data) <= size:
        return data
    note = f"(cut: an answer has {size} bytes at most)\r\n".encode("ascii")
    kept = data[: max(size - len(note) - 2, 0)]
    lineEnd = kept.rfind(b"\r\n")
    if lineEnd >= 0:
        kept = kept[: lineEnd + 2]
    elif kept:
        # Neither half a character nor half a line end.
        kept = kept.decode("utf-8", "ignore").rstrip("\r").encode("utf-8") + b"\r\n"
    return kept + note


def _listing(users: Sequence[User] | Listing) -> Listing:
    return users if isinstance(users, Listing) else Listing(users)


def _filling(texts: Iterable[str], size: int) -> Iterator[str]:
    """As many of ``texts`` as it takes to have more than ``size`` bytes."""
    for text in texts:
        if size < 0:
            return
        size -= len(text.encode("utf-8"))
        yield text


def _table(users: Sequence[User], fields: Fields, replacements: Replacements) -> Iterator[str]:
    columns = {
        field: list(map(_cell, map(attrgetter(field), users))) for field in Field if field in fields
    }
    columns = {field: cells for field, cells in columns.items() if any(cells)}
    if not columns.keys() <= _BARE:
        columns = {field: [field.label, *cells] for field, cells in columns.items()}
    return table([replacements.ofEach(cells, _LISTED_TEXT) for cells in columns.values()])


def _cell(text: str) -> str:
    """What a list shows of a text: its first line."""
    if len(text) > _LISTED_TEXT:
        text = text.lstrip()[:_LISTED_TEXT]
    if not text.isprintable():
        text = clean(text).strip().partition("\n")[0].replace("\t", " ")
    text = text.strip()
    if text.isascii() or not beginsCombining(text):
        return text
    # It would combine with the column before.
    return f"\u25cc{text}"


def _sections(listing: Listing) -> Iterator[str]:
    for user in listing.users:
        if user.report:
            yield _section(user.login, clean(user.report).strip("\n").rstrip())
    for source, answer in listing.failures:
        yield _section(source, answer)


def _section(name: str, text: str) -> str:
    return f"[{cleanLine(name)}]\n{text}"
