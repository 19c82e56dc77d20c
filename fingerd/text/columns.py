"""Text in columns, as a terminal shows it. All texts here are as in L{fingerd.text.width}."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fingerd.text.width import clip, displayWidth

# A terminal's width, and where finger(1) begins the second column of what it tells of a user.
COLUMNS = 80
_SECOND = 40
_GAP = "  "


def pair(left: str, right: str) -> str:
    """Two texts side by side, as in finger(1)'s header, or on two lines where they don't fit."""
    if not left or not right:
        return left + right
    room = _SECOND - displayWidth(left)
    if room < 1 or _SECOND + displayWidth(right) > COLUMNS:
        return f"{left}\n{right}"
    return left + " " * room + right


def table(columns: Sequence[Sequence[str]]) -> Iterator[str | None]:
    """
    The lines of a table, aligned and within L{COLUMNS} columns of the terminal. Each line is made
    when it is taken. Before the first one all texts are measured, with a C{None} for each that
    takes a while: thousands of texts keep nobody waiting who goes on with the table later.

    @param columns: the texts in each column, equally many.
    """
    widths: list[list[int]] = []
    for column in columns:
        measured: list[int] = []
        widths.append(measured)
        if "".join(column).isascii():
            measured.extend(map(len, column))
        else:
            for text in column:
                measured.append(displayWidth(text))
                yield None
    rooms = _rooms(widths, COLUMNS - len(_GAP) * (len(columns) - 1))
    for row in zip(*map(_fitted, columns, widths, rooms), strict=True):
        # Texts that are broken (see clip) may be wider together than each by itself.
        yield clip(_GAP.join(row).rstrip(), COLUMNS)


def _fitted(column: Sequence[str], widths: Sequence[int], room: int) -> Iterator[str]:
    """The texts, with spaces behind them or clipped, so that each takes all the room."""
    # ljust counts characters, not columns.
    return (
        text.ljust(room + len(text) - width) if width <= room else _clipped(text, room)
        for text, width in zip(column, widths, strict=True)
    )


def _clipped(text: str, room: int) -> str:
    text = clip(text, room)
    # A wide letter that would have had half of its room leaves one column over.
    return text + " " * (room - displayWidth(text))


def _rooms(widths: Sequence[Sequence[int]], whole: int) -> list[int]:
    """
    How wide each column may be. Each column gets what most of its texts take and, as far as there
    is more room, what all of them take: so a few very long texts don't push all else away.
    """
    # An empty text says nothing about what the others need.
    ordered = [sorted(filter(None, taken)) or [0] for taken in widths]
    rooms = _shared([taken[(len(taken) - 1) * 9 // 10] for taken in ordered], whole)
    lacking = [taken[-1] - room for taken, room in zip(ordered, rooms, strict=True)]
    more = _shared(lacking, whole - sum(rooms))
    return [room + added for room, added in zip(rooms, more, strict=True)]


def _shared(wanted: Sequence[int], whole: int) -> list[int]:
    """``whole``, shared evenly, but with nobody given more than is ``wanted``."""
    shares = [0] * len(wanted)
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    for place, index in enumerate(order):
        shares[index] = min(wanted[index], whole // (len(order) - place))
        whole -= shares[index]
    return shares
