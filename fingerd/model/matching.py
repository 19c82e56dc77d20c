"""Which users a query means that names no login (RFC 1288 2.5.3)."""

from __future__ import annotations

import re
import unicodedata

from fingerd.model.user import User

_BETWEEN_WORDS = re.compile(r"[\s,]+")


def matches(user: User, words: str) -> bool:
    """
    Whether each of ``words`` is a word of the user's full name, whatever its case: the first
    name, the last one, or any between, but no part of one. This is how finger(1) matches.

    No words match nobody. One comparison takes some microseconds: a caller that compares many users
    has to let others have their turn.
    """
    asked = _folded(words)
    return bool(asked) and asked <= _folded(user.name)


def _folded(text: str) -> frozenset[str]:
    # A letter is the same letter, whether its accent is a character of its own or not.
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return frozenset(word for word in _BETWEEN_WORDS.split(folded) if word)
