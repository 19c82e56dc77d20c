"""
What is sent back: from a reply to bytes.

All that is in a reply may be shown as it is, see L{fingerd.model.reply}.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter

from fingerd.doors.plain.finger1_layout import entry, known, statusLine, timeOf
from fingerd.model.fields import Field, Fields
from fingerd.model.reply import Reply
from fingerd.model.texts import NO_STATUS
from fingerd.model.user import User, isBare
from fingerd.text.cleaning import cleanLine
from fingerd.text.columns import table
from fingerd.text.width import beginsCombining

# With no more than these, a user is the bare status, and a list has no need of a heading.
_STATUS = Field.STATUS
_BARE: Fields = frozenset({Field.LOGIN, Field.STATUS})

# What an answer is made in, where that takes long: see L{fingerd.system.slices}.
Steps = Generator[None, None, str]


def of(reply: Reply, size: int, now: float | None = None) -> str:
    """
    The answer that says what C{reply} does, with LF between its lines.

    @param size: how many bytes will be sent of it; no more is made of a list than it takes to fill
        them.
    @param now: the time in seconds since the epoch, for the ages of statuses; None for the present.
    """
    if reply.outcome == "list":
        steps = ofList(reply, size, now)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return str(end.value)
    if reply.parts:
        parts = ((name, of(part, size, now)) for name, part in reply.parts)
        return ofSeveral(parts, reply.unanswered)
    users = reply.users
    if len(users) == 1:
        return ofUser(users[0], reply.fields, now)
    if users:
        return "\n\n".join(ofUser(user, reply.fields, now) for user in users)
    return reply.words


def ofList(reply: Reply, size: int, now: float | None = None) -> Steps:
    """
    As L{of}, for a list, in short steps: what comes of them is the answer. Thousands of users, with
    names and statuses in all the world's scripts, may take some tenths of a second.
    """
    if not reply.verbose:
        return (yield from _ofUsers(reply, reply.fields, size))
    for user in reply.users:
        if not user.report and not isBare(user):
            return (yield from _ofUsersInFull(reply, size, now))
        yield
    # Of none of them there is more to tell than the status.
    return (yield from _ofUsers(reply, _BARE & reply.fields, size))


def ofUser(user: User, fields: Fields, now: float | None = None) -> str:
    """
    The answer for one user: a source's finished report, or the bare status where nothing else is
    known that may be shown, or else what finger(1) would show.

    @param fields: what would be shown, were it known.
    @param now: as in L{of}.
    """
    if _STATUS in fields and isBare(user):
        return user.status or NO_STATUS
    statusTime = timeOf(user, time.time() if now is None else now)
    if user.report:
        # The source knows nothing of what was set here.
        return (
            f"{user.report}\n{statusLine(user.status, statusTime)}" if user.status else user.report
        )
    return entry(known(user), fields, statusTime)


def _ofUsers(reply: Reply, fields: Fields, size: int) -> Steps:
    """
    The list: a table with a line for each user, and below it the sources' own reports, and what
    is to be said of those that failed, each under its name.

    @param size: as in L{of}.
    """
    users: list[User] = []
    for user in reply.users:
        users.append(user)
        yield
    tabled = [user for user in users if not user.report]
    lines: list[str] = []
    for line in _filling(_table(tabled, fields) if tabled else (), size):
        if line is not None:
            lines.append(line)
        yield
    rows = "\n".join(lines)
    sections = _sections(users, reply.failures)
    parts = [rows, *_filling(sections, size - len(rows.encode("utf-8")))]
    return "\n\n".join(filter(None, parts)) or reply.words


def _ofUsersInFull(reply: Reply, size: int, now: float | None) -> Steps:
    """
    The list as C{/W} asks for it (RFC 1288 2.5.4): all there is to show of each user, as for one
    who is asked for by name. The parameters are as in L{of}.
    """
    present = time.time() if now is None else now
    reports: list[User] = []

    def entries() -> Iterator[str | None]:
        for user in reply.users:
            if user.report:
                reports.append(user)
                yield None
            else:
                yield entry(known(user), reply.fields, timeOf(user, present))

    def sections() -> Iterator[str]:
        yield from _sections(reports, reply.failures)

    parts: list[str] = []
    for part in _filling(chain(entries(), sections()), size):
        if part is not None:
            parts.append(part)
        yield
    return "\n\n".join(parts) or reply.words


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


def _filling(texts: Iterable[str | None], size: int) -> Iterator[str | None]:
    """As many of C{texts} as it takes to have more than C{size} bytes; a None is a step."""
    for text in texts:
        if size < 0:
            return
        if text is not None:
            size -= len(text.encode("utf-8"))
        yield text


def _table(users: Sequence[User], fields: Fields) -> Iterator[str | None]:
    columns: dict[Field, list[str]] = {}
    for field in Field:
        if field in fields:
            cells = list(map(_cell, map(attrgetter(field), users)))
            if any(cells):
                columns[field] = cells
            yield None
    if not columns.keys() <= _BARE:
        columns = {field: [field.label, *cells] for field, cells in columns.items()}
    yield from table(list(columns.values()))


def _cell(text: str) -> str:
    """What a list shows of a text: its first line."""
    text = text.strip().partition("\n")[0].replace("\t", " ").strip()
    if text.isascii() or not beginsCombining(text):
        return text
    # Its first character would combine with the column before.
    return f"\u25cc{text}"


def _sections(users: Iterable[User], failures: Iterable[tuple[str, str]]) -> Iterator[str]:
    for user in users:
        if user.report:
            yield _section(user.login, user.report.rstrip("\n"))
    for source, words in failures:
        yield _section(source, words)


def _section(name: str, text: str) -> str:
    return f"[{cleanLine(name)}]\n{text}"
