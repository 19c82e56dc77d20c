"""
TOML, table by table.

A million tables understood in one go take gigabytes; one by one they take none, and no longer. So
there is a limit to the length of one table, and of what stands before the first.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

_PIECE = 64 * 1024

# Before this a file can be cut in two, if the first half makes sense: it isn't in a text then, nor
# in an array. Tables within tables, and arrays of tables, stay with what is before them.
_HEADER = re.compile(
    rb"""
    \n (?=
        [ \t]* \[ [ \t]* (?: [A-Za-z0-9_-]+ | "(?:[^"\\\n]|\\.)*" | '[^'\n]*' ) [ \t]* \]
        [ \t]* (?: \#.* )? \r?\n
    )
    """,
    re.VERBOSE,
)


def tables(file: BinaryIO, longest: int) -> Iterator[dict[str, object]]:
    """
    The tables in a file, one or a few at a time.

    @raise ValueError: when this isn't TOML, with words that say where.
    """
    rest = b""
    line = 1
    # How long what was cut must be next time, after it made no sense.
    wanted = 0
    while piece := file.read(_PIECE):
        rest += piece
        begin = 0
        for header in _HEADER.finditer(rest):
            if header.end() - begin < wanted:
                continue
            first = rest[begin : header.end()]
            users = _understood(first, line)
            if users is None:
                # A line of a plan can look like a header. Doubled, the time is only doubled.
                wanted = 2 * len(first)
                continue
            yield users
            line += first.count(b"\n")
            begin, wanted = header.end(), 0
        rest = rest[begin:]
        if len(rest) > longest:
            _complain(rest[: rest.rfind(b"\n") + 1], line, f"longer than {longest} bytes")
    last = _understood(rest, line)
    if last is None:
        _complain(rest, line)
    yield last


def _understood(data: bytes, line: int) -> dict[str, object] | None:
    """What is said in ``data``, or None."""
    if line == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return None


def _complain(data: bytes, line: int, tooLong: str = "") -> NoReturn:
    """Say what is wrong with ``data``, which begins in that line: or else that it is too long."""
    if line == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    place = f"what begins at line {line}"
    try:
        # With as many lines before it as it has in the file, so that the number is right.
        tomllib.loads("\n" * (line - 1) + data.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (at line {line + data.count(10, 0, error.start)})") from None
    except RecursionError:
        raise ValueError(f"{place} is nested too deeply") from None
    except ValueError as error:
        message = str(error) if str(error).isprintable() else repr(str(error))
        if " (at line " in message:
            raise ValueError(message) from None
        if not tooLong:
            raise ValueError(f"{message}, in {place}") from None
    raise ValueError(f"{place} is {tooLong}")
