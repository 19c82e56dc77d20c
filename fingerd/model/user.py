"""What is known of one user, and what can be the name of one."""

from __future__ import annotations

import re
from typing import NamedTuple

from fingerd.text.cleaning import clean

__all__ = ["HIDDEN", "User", "isLogin"]


class User(NamedTuple):
    """
    A user as a directory knows them. An empty text means "not known".

    ``status``, ``project``, ``plan`` and ``publicKey`` may have several lines, separated by LF;
    every other text is one line. ``statusSet`` is when the status was set and ``statusUntil`` when
    it ends, in seconds since the epoch, or None where nobody knows. ``report`` is for a source that
    has only finished text, such as another finger server: it is shown as it is, and no other field
    is.
    """

    login: str
    name: str = ""
    status: str = ""
    statusSet: float | None = None
    statusUntil: float | None = None
    office: str = ""
    officePhone: str = ""
    homePhone: str = ""
    project: str = ""
    plan: str = ""
    publicKey: str = ""
    report: str = ""


# What a directory says of a user whom it knows and who is not to be shown.
HIDDEN = User("")


def isBare(user: User) -> bool:
    """Whether nothing is known of C{user} but the login and perhaps a status."""
    return user[5:] == _NOTHING_MORE and not user.name


# What stands behind the status, for a user of whom none of that is known.
_NOTHING_MORE = User("")[5:]
# Nearly every login is nothing but this.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# What no request line can name: white space and commas separate names, "@" asks another host, a
# leading "/" is a switch, another "/" asks for what was before, and control characters never come
# from a keyboard. A leading "-" is kept out too: a program that is handed the login would take it
# for an option.
_UNASKABLE = re.compile(r"^-|[\s,/@\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def isLogin(text: str) -> bool:
    """
    Whether ``text`` can be a user's login: not empty, and something a request line can name.
    """
    # A login has no character that is never shown: two users would look like one.
    if _PLAIN.fullmatch(text) is not None:
        return True
    return text != "" and _UNASKABLE.search(text) is None and clean(text) == text
