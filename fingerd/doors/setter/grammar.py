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

All of this is bytes and text: no I/O, no Twisted. No bytes make L{parse} raise anything but
ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fingerd.text.lasting import seconds

_THREE = re.compile(rb"[ \t]*[^ \t]+[ \t]+3[ \t]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_ESCAPE = re.compile(r"\\([\\n])")


@dataclass(frozen=True, slots=True)
class Setting:
    """
    What one request wants: that ``login`` has the status ``text``, for so many ``seconds``, or
    until it is set again.
    """

    login: str
    text: str
    seconds: int | None = None


def linesOf(first: bytes) -> int:
    """How many lines a request has that begins with the line ``first``."""
    return 3 if _THREE.fullmatch(first) else 2


def parse(lines: Sequence[bytes]) -> Setting:
    """
    Read a whole request, without its line ends.

    @raise ValueError: when it can't be done, with the reason in words for the client.
    """
    try:
        login, text, *lasting = (line.decode("utf-8").strip(" \t") for line in lines)
    except UnicodeDecodeError:
        raise ValueError("a status is UTF-8 text") from None
    if lasting:
        login = login[:-1].rstrip(" \t")
    # (The service says what may be in the login and the status.)
    if any(map(_CONTROL.search, lasting)):
        raise ValueError("a status has no control characters")
    text = _ESCAPE.sub(_unescaped, text).strip(" \t\n")
    if not lasting:
        return Setting(login, text)
    return Setting(login, text, seconds(lasting[0]))


def encode(setting: Setting) -> bytes:
    """
    The request that asks for ``setting``.

    @raise ValueError: when its status isn't text that can be UTF-8.
    """
    text = setting.text.replace("\\", "\\\\").replace("\n", "\\n")
    lines = [setting.login, text]
    if setting.seconds is not None:
        lines = [f"{setting.login} 3", text, f"{setting.seconds}s"]
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else "\\"
