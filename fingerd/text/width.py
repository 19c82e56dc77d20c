"""
How wide a text is on a terminal.

A width is a number of the terminal's columns, not of characters: East Asian characters and emoji
take two columns, combining characters none. All texts here are clean, of one line and without
TABs.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import wcwidth

_ELLIPSIS = "\u2026"

# Letters that stand by themselves, and take one column or two: most of the world's names have no
# others, and can be counted and cut by characters. A test compares these with wcwidth.
_NARROW = (
    " -~\xa1-\xac\xae-\u02ff\u0370-\u0482\u048a-\u058f\u05d0-\u05ea\u0620-\u064a"
    "\u1e00-\u1fff\u2010-\u2027"
)
_WIDE = "\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
_WIDE_RUN = re.compile(f"[{_WIDE}]+")


def displayWidth(text: str) -> int:
    """How many columns ``text`` takes."""
    if text.isascii():
        return len(text)
    # Without its C extension, wcwidth takes ten times as long as counting these letters does.
    if wcwidth.HAS_C_EXTENSION or not _simple().fullmatch(text):
        return wcwidth.wcswidth(text)
    return len(text) + sum(map(len, _WIDE_RUN.findall(text)))


def beginsCombining(text: str) -> bool:
    """
    Whether the first character is one that combines with what is before it, so that ``text``
    has no width of its own.
    """
    return text != "" and unicodedata.category(text[0])[0] == "M"


def clip(text: str, width: int) -> str:
    """
    ``text`` within ``width`` columns. A text that is cut ends in an ellipsis, and is never cut
    within what is one letter to its reader.
    """
    if displayWidth(text) <= width:
        return text
    if _simple().fullmatch(text):
        return _bySimpleLetters(text, width - 1).rstrip() + _ELLIPSIS
    letters = _graphemes(text, width - 1)
    clipped = "".join(letters).rstrip() + _ELLIPSIS
    # The widths of broken texts (an accent or half a syllable on its own) depend on what stands
    # beside them: only the whole tells.
    while letters and displayWidth(clipped) > width:
        letters.pop()
        clipped = "".join(letters).rstrip() + _ELLIPSIS
    return clipped


@cache
def _simple() -> re.Pattern[str]:
    # To compile it takes 9 ms: not at every start, and on many machines never.
    return re.compile(f"[{_NARROW}{_WIDE}]*")


def _bySimpleLetters(text: str, width: int) -> str:
    kept = text[:width]
    while kept and (over := displayWidth(kept) - width) > 0:
        # None takes more than two columns, so at least half as many letters are too many.
        kept = kept[: -((over + 1) // 2)]
    return kept


def _graphemes(text: str, width: int) -> list[str]:
    kept: list[str] = []
    for grapheme in wcwidth.iter_graphemes(text):
        width -= displayWidth(grapheme)
        if width < 0:
            break
        kept.append(grapheme)
    return kept
