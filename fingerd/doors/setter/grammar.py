"""
What is said to a setter port, from lines to a L{Setting} and back.

Two lines, the user and the status, as in the talk; or three, and then the first one says so
behind the user::

    moshez          moshez 3
    Writing         At lunch
                    2h

No user's name has a space in it, so neither can be mistaken for the other, whenever the lines
arrive and whether or not the client closes its sending side: plain nc never does.

The status is UTF-8 and has no control characters but TAB. ``\\n`` in it is the end of one of its
lines and ``\\\\`` is a backslash; a backslash before anything else, or at the end, is just that.
White space around it doesn't count. An empty status clears what was set.

The third line is how long the status lasts: numbers with the units d, h, m and s, the larger
ones first, as in ``90s`` and ``1h30m``. After that, the status before it shows again.

The longer form says behind the user, on the first line, what is to be done, and where that may end
how long it lasts. With a text, that is on the second line, written as a status is; all else is one
line::

    moshez plan             moshez hide 2h
    To write.\\nAnd more.

    request = login verb [time] LF [text LF]
    verb    = with a text: "status" / "plan" / "project"
              which may end: "hide" / "public-history"
              others: "show" / "private-history" / "undo" / "erase" / "tell" / "history"

To this the answer is a line for each status that it tells of, behind the ``OK``::

    told    = ("now" / "before" / "was") TAB part TAB since TAB [until] TAB by TAB text

with times in seconds since the epoch. Of a long text it is the beginning, and an ellipsis.

All of this is bytes and text: no I/O, no Twisted. No bytes make L{parse} raise anything but
ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from fingerd.model.limits import Limits
from fingerd.model.record import YES, Change, Entry, Part
from fingerd.text.cleaning import clean
from fingerd.text.lasting import seconds

_THREE = re.compile(rb"[ \t]*[^ \t]+[ \t]+3[ \t]*")
_SPACE = re.compile(r"[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_ESCAPE = re.compile(r"\\([\\n])")
# A text of so many characters is told whole; of a longer one, these.
_WHOLE = 1024
_BEGINNING = 200


class Verb(StrEnum):
    """What the longer form can ask for."""

    STATUS = "status"
    PLAN = "plan"
    PROJECT = "project"
    HIDE = "hide"
    SHOW = "show"
    PUBLIC_HISTORY = "public-history"
    PRIVATE_HISTORY = "private-history"
    UNDO = "undo"
    ERASE = "erase"
    TELL = "tell"
    HISTORY = "history"


WITH_TEXT = {Verb.STATUS: Part.STATUS, Verb.PLAN: Part.PLAN, Verb.PROJECT: Part.PROJECT}
_WITHOUT = {
    Verb.HIDE: (Part.HIDDEN, YES),
    Verb.SHOW: (Part.HIDDEN, ""),
    Verb.PUBLIC_HISTORY: (Part.PUBLIC_HISTORY, YES),
    Verb.PRIVATE_HISTORY: (Part.PUBLIC_HISTORY, ""),
}
MAY_END = {*WITH_TEXT, Verb.HIDE, Verb.PUBLIC_HISTORY}
_LONGER = re.compile(rf"[ \t]*[^ \t]+[ \t]+({'|'.join(Verb)})(?:[ \t].*)?".encode("ascii"))


@dataclass(frozen=True, slots=True)
class Setting:
    """
    What one request wants: that ``login`` has the status ``text``, for so many ``seconds``, or
    until it is set again; or in the longer form, what its ``verb`` says.
    """

    login: str
    text: str = ""
    seconds: int | None = None
    verb: Verb | None = None

    @property
    def change(self) -> Change | None:
        """What is to be set; None where the verb asks for something else."""
        if self.verb is None:
            return Change(self.text, self.seconds)
        if self.verb in WITH_TEXT:
            return Change(self.text, self.seconds, WITH_TEXT[self.verb])
        if self.verb in _WITHOUT:
            part, text = _WITHOUT[self.verb]
            return Change(text, self.seconds, part)
        return None


def verbOf(first: bytes) -> Verb | None:
    """What a request asks for that begins with the line ``first``; None in the talk's form."""
    found = _LONGER.fullmatch(first)
    return None if found is None else Verb(found[1].decode("ascii"))


def lengthOf(first: bytes, limits: Limits) -> int:
    """How many bytes a line has at most, in a request that begins with the line ``first``."""
    if verbOf(first) in (Verb.PLAN, Verb.PROJECT):
        # Each line end and backslash takes two.
        return 2 * limits.planSize
    return limits.setterLineLength


def linesOf(first: bytes) -> int:
    """How many lines a request has that begins with the line ``first``."""
    verb = verbOf(first)
    if verb is not None:
        return 2 if verb in WITH_TEXT else 1
    return 3 if _THREE.fullmatch(first) else 2


def parse(lines: Sequence[bytes]) -> Setting:
    """
    Read a whole request, without its line ends.

    @raise ValueError: when it can't be done, with the reason in words for the client.
    """
    verb = verbOf(lines[0])
    try:
        first, *rest = (line.decode("utf-8").strip(" \t") for line in lines)
    except UnicodeDecodeError:
        raise ValueError("a status is UTF-8 text") from None
    if verb is not None:
        return _longer(first, verb, rest)
    login, (text, *lasting) = first, rest
    if lasting:
        login = login[:-1].rstrip(" \t")
    # (The service says what may be in the login and the status.)
    if any(map(_CONTROL.search, lasting)):
        raise ValueError("a status has no control characters")
    return Setting(login, _text(text), seconds(lasting[0]) if lasting else None)


def _longer(first: str, verb: Verb, rest: Sequence[str]) -> Setting:
    login, _, *lasting = _SPACE.split(first)
    if lasting and verb not in MAY_END:
        raise ValueError(f"behind {verb} nothing is said")
    if any(map(_CONTROL.search, lasting)):
        raise ValueError("a status has no control characters")
    lasts = seconds(" ".join(lasting)) if lasting else None
    return Setting(login, _text(rest[0]) if rest else "", lasts, verb)


def encode(setting: Setting) -> bytes:
    """
    The request that asks for ``setting``.

    @raise ValueError: when its status isn't text that can be UTF-8.
    """
    text = escaped(setting.text)
    lasting = [] if setting.seconds is None else [f"{setting.seconds}s"]
    if setting.verb is None:
        first = setting.login + (" 3" if lasting else "")
        lines = [first, text, *lasting]
    else:
        lines = [" ".join([setting.login, setting.verb, *lasting])]
        if setting.verb in WITH_TEXT:
            lines.append(text)
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def told(when: str, status: Entry) -> str:
    """What the answer says of ``status``, which shows C{now}, or did C{before}."""
    until = "" if status.until is None else str(int(status.until))
    text = clean(status.text)
    if len(text) > _WHOLE:
        text = f"{text[:_BEGINNING]}\u2026"
    return "\t".join([when, status.part, str(int(status.set)), until, status.by, escaped(text)])


def readTold(line: str) -> tuple[str, Entry]:
    """
    Read what L{told} says.

    @raise ValueError: for anything else.
    """
    when, part, since, until, by, text = line.split("\t", 5)
    ends = float(until) if until else None
    return when, Entry(_ESCAPE.sub(_unescaped, text), float(since), by, ends, Part(part))


def escaped(text: str) -> str:
    """A text as it is on a line."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _text(line: str) -> str:
    return _ESCAPE.sub(_unescaped, line).strip(" \t\n")


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else "\\"
