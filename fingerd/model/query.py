"""
The request line (RFC 1288 2.3), from bytes to a L{Query}.

    {Q1}    ::= [{W}|{W}{S}{U}]{C}
    {Q2}    ::= [{W}{S}][{U}]{H}{C}
    {U}     ::= username
    {H}     ::= @hostname | @hostname{H}
    {W}     ::= /W

with the liberties that real clients take: ``/W`` in any case and also behind the names (RFC
742, RFC 1194), several names separated by spaces or commas (RFC 742, BSD), TABs, and spaces
anywhere. No bytes make L{parse} raise.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Name", "Query", "parse"]

_SEPARATORS = re.compile(r"[ \t,]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Name(NamedTuple):
    """
    One user asked for. With a ``host``, that host is to be asked (2.4), and ``user`` is the query
    for it: a name, another forwarding, or nothing, which asks for its list.
    """

    user: str
    host: str | None = None


# A line that can't name anyone asks for this: no directory has a user without a name.
NOBODY = Name("")


class Query(NamedTuple):
    """
    What a request line asks for: the ``names`` in their order, or with none of them the list. A
    line that is longer than any may be is only ``tooLong``.
    """

    names: tuple[Name, ...] = ()
    verbose: bool = False
    tooLong: bool = False


TOO_LONG = Query(tooLong=True)


def parse(line: bytes) -> Query:
    """
    Read a request line, without its line end and without telnet's commands.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return Query((NOBODY,))
    if _CONTROL.search(text) is not None:
        return Query((NOBODY,))
    words = [word for word in _SEPARATORS.split(text) if word]
    verbose = bool(words) and (_isVerbose(words[0]) or _isVerbose(words[-1]))
    # Another switch is ignored, as 2.5.4 asks of /W; no user's name begins with a slash.
    return Query(tuple(_name(word) for word in words if word[0] != "/"), verbose)


def _isVerbose(word: str) -> bool:
    return word in ("/W", "/w")


def _name(word: str) -> Name:
    # The next hop is the right-most host (2.4).
    user, at, host = word.rpartition("@")
    return Name(user, host) if at else Name(word)
