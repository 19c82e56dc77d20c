"""
What is sent back: from users to bytes.

Nothing a user wrote reaches a terminal as it was: control characters and the invisible ones that
turn text around are taken out of every text, so that a status can't drive a reader's terminal.
Lines end in CR LF, the last one too (RFC 1288 2.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fingerd.user import User

NO_SUCH_USER = "No such user"
INTERNAL_ERROR = "Internal error in server"
FORWARDING_DENIED = "Finger forwarding service denied"
LIST_DENIED = "Finger online user list denied"
QUERY_TOO_LONG = "Query too long"
NO_STATUS = "No status."

# Columns of the list are no wider than this, so that one long login can't push all else away.
_WIDEST = 32

# C0 and C1 but TAB and LF, DEL, surrogates, and Unicode's format characters (category Cf), among
# them all that turns text around.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
_LINE_END = re.compile("\r\n?|[\u2028\u2029]")


def clean(text: str) -> str:
    """``text`` with LF line ends, and without what could harm a reader's terminal."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("", _LINE_END.sub("\n", text))


def cleanLine(text: str) -> str:
    """``text`` cleaned and on one line."""
    return clean(text).replace("\n", " ").replace("\t", " ")


def ofUser(user: User | None) -> str:
    """
    The answer for one user; one that is unknown, hidden or refused is None, and looks the same.
    """
    if user is None:
        return NO_SUCH_USER
    return clean(user.status).rstrip() or NO_STATUS


def ofUsers(users: Sequence[User]) -> str:
    """The list: a line each, with login, full name where any is known, and the status's start."""
    if not users:
        return NO_SUCH_USER
    rows = [
        (cleanLine(user.login), cleanLine(user.name), clean(user.status).strip().partition("\n")[0])
        for user in users
    ]
    logins = min(max(len(login) for login, _, _ in rows), _WIDEST)
    names = min(max(len(name) for _, name, _ in rows), _WIDEST)
    if names == 0:
        return "\n".join(f"{login:<{logins}}  {status}".rstrip() for login, _, status in rows)
    return "\n".join(
        f"{login:<{logins}}  {name:<{names}}  {status}".rstrip() for login, name, status in rows
    )


def ofSeveral(answers: Iterable[tuple[str, str]], refused: int) -> str:
    """
    The answers to a query for several names, each under the name it belongs to.

    @param answers: pairs of a name as it was asked for and the answer for it.
    @param refused: how many names more were asked for than are answered.
    """
    parts = [f"[{cleanLine(name)}]\n{answer}" for name, answer in answers]
    if refused:
        parts.append(f"Too many names in one query: {refused} not answered")
    return "\n\n".join(parts)


def internalError(reference: str) -> str:
    """The answer when something fails; the log has the reason under the same reference."""
    return f"{INTERNAL_ERROR}\nReference: {reference}"


def encode(text: str, size: int) -> bytes:
    """
    The bytes of an answer, ``size`` of them at most; what is cut says so in its last line.
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
        kept = kept.decode("utf-8", "ignore").encode("utf-8") + b"\r\n"
    return kept + note
