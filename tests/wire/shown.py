"""Bytes as a person can read them, and no two as the same text."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# An answer of more bytes is shown by its first and last lines, and a digest of all of it.
LONG = 6000
_FIRST, _LAST = 4, 3

_NAMED = {"\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\", '"': '\\"'}
_REPEATED = re.compile(r"(.{1,8}?)\1{9,}", re.S)
_REPEATED_LENGTH = 80


def shown(data: bytes) -> str:
    """
    A quoted text. UTF-8 that can be seen stands for itself; all else is escaped: ``\\xff`` is a
    byte, ``\\u202e`` a character. What is there 30 times or more is shown once, with a number.
    """
    text = data.decode("utf-8", "surrogateescape")
    parts = []
    start = 0
    for found in _REPEATED.finditer(text):
        if len(found[0]) < _REPEATED_LENGTH:
            continue
        if found.start() > start:
            parts.append(_quoted(text[start : found.start()]))
        unit = found[1]
        parts.append(f"{_quoted(unit)} * {len(found[0]) // len(unit)}")
        start = found.end()
    if start < len(text) or not parts:
        parts.append(_quoted(text[start:]))
    return " + ".join(parts)


def shownLines(data: bytes) -> list[str]:
    """An answer, a quoted text for each of its lines."""
    # Not splitlines: it also ends lines at a CR alone.
    lines = [line for line in re.split(rb"(?<=\n)", data) if line]
    texts = [shown(line) for line in lines]
    if len(data) <= LONG:
        return texts
    first, last = lines[:_FIRST], lines[-_LAST:]
    digest = hashlib.sha256(data).hexdigest()
    return [
        *map(_brief, first),
        f"... {len(data)} bytes in {len(lines)} lines, sha256 {digest}",
        *map(_brief, last),
    ]


def _brief(line: bytes) -> str:
    text = shown(line)
    return text if len(text) <= 200 else f"{text[:120]} ... {text[-60:]}"


def _quoted(text: str) -> str:
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    number = ord(character)
    if number < 0x20 or number == 0x7F:
        return f"\\x{number:02x}"
    if 0xDC80 <= number <= 0xDCFF:
        # How "surrogateescape" has a byte that is not UTF-8.
        return f"\\x{number - 0xDC00:02x}"
    # Marks would combine with the character before, in an editor too.
    if character.isprintable() and not unicodedata.category(character).startswith("M"):
        return character
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
