"""
Nothing a user wrote reaches a terminal as it was: control characters and the invisible ones that
turn text around are taken out of every text, so that a status can't drive a reader's terminal. In a
log they can be seen, but escaped.
"""

from __future__ import annotations

import codecs
import re

# C0 and C1 but TAB and LF, DEL, surrogates, and Unicode's format characters (category Cf), among
# them all that turns text around.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]+"
)
# Looked up now: when it has given up root, the daemon may not be able to read the codec's module.
_ESCAPE = codecs.lookup("unicode_escape").encode
# What of ASCII may stay as it is.
_SAFE = bytes(range(0x20, 0x7F)) + b"\t\n"
_LINE_ENDS = ("\r\n", "\r", "\u2028", "\u2029")


def clean(text: str) -> str:
    """``text`` with LF line ends, and without what could harm a reader's terminal."""
    # Nothing unsafe is printable, and nearly all texts are printable. This takes a fraction of the
    # time that the expression takes; for a long plan in ASCII, bytes take a tenth of that again.
    if text.isprintable():
        return text
    if text.isascii():
        if not text.encode("ascii").translate(None, _SAFE):
            return text
    elif text.replace("\n", "").replace("\t", "").isprintable():
        return text
    # A text may have very many line ends: an expression would take its time for each.
    for end in _LINE_ENDS:
        text = text.replace(end, "\n")
    return _UNSAFE.sub("", text)


def escape(text: str) -> str:
    """``text`` with what could harm a reader's terminal as it is written in a Python string."""
    if text.isprintable():
        return text
    for end in _LINE_ENDS:
        text = text.replace(end, _ESCAPE(end)[0].decode("ascii"))
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPE(found[0])[0].decode("ascii")


def cleanLine(text: str) -> str:
    """``text`` cleaned and on one line."""
    if text.isprintable():
        return text
    return clean(text).replace("\n", " ").replace("\t", " ")


def cleanLines(text: str) -> str:
    """A text of several lines, cleaned, without what is empty around it."""
    # The first line's indentation may be part of a picture.
    return clean(text).rstrip().lstrip("\n")
