"""The whitewash of the talk: a word that no answer may have, replaced by another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from fingerd.text.cleaning import cleanLine

# Characters that show nothing, and that cleaning leaves, since some scripts and emoji need them:
# fillers, joiners and variation selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# Each stands for a new text in the place of an old one, until all old ones are found. A clean text
# has no surrogates, so these are free.
_MARKS = range(0xD800, 0xE000)


class Replacements:
    """
    Texts to be replaced, each with what replaces it.

    All are looked for in the text as it was: what has been put in is never replaced again. Where
    two overlap the longer one counts, and of two equally long ones the first. Case matters.
    Accented letters match however they are encoded. A text in which a word is hidden behind
    characters that show nothing loses these.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        """
        @param pairs: what is replaced, and what replaces it.
        @raise ValueError: for what can't be replaced, with the reason in words.
        """
        news: dict[str, str] = {}
        for old, new in pairs:
            if "\n" in old or "\r" in old:
                raise ValueError(f"{old!r} has several lines: a replacement is within a line")
            clean = cleanLine(old)
            if not clean:
                raise ValueError(f"{old!r} has nothing that could be replaced")
            if clean in news:
                raise ValueError(f"{old!r} is replaced twice")
            news[clean] = cleanLine(new)
        if len(news) > len(_MARKS):
            raise ValueError(f"more than {len(_MARKS)} replacements")
        # The longest first; sorting keeps the order of the others.
        order = sorted(news, key=len, reverse=True)
        self._news = list(zip(map(chr, _MARKS), (news[old] for old in order), strict=False))
        self._olds = [
            (form, mark)
            for old, (mark, _) in zip(order, self._news, strict=True)
            for form in dict.fromkeys(
                (old, unicodedata.normalize("NFC", old), unicodedata.normalize("NFD", old))
            )
        ]

    def __bool__(self) -> bool:
        return bool(self._news)

    def __call__(self, text: str, size: int) -> str:
        """
        ``text`` with all replaced.

        @param text: a clean one.
        @param size: how many characters of the result are wanted. A longer result is cut to one
            more, so that it can be seen that there was more. It bounds what this costs: a text
            that is replaced by a longer one could fill the memory.
        """
        text = self._seen(text)
        for old, mark in self._olds:
            text = text.replace(old, mark)
        for mark, new in self._news:
            # So many new texts fill the size; marks that are left stand beyond it.
            text = text.replace(mark, new, size // len(new) + 1 if new else -1)
        return text[: size + 1]

    def ofEach(self, texts: Sequence[str], size: int) -> Sequence[str]:
        """
        Each of ``texts``, which are of one line, with all replaced and cut to ``size`` as above.
        What is replaced is never partly in one text and partly in the next.
        """
        if not self._news:
            return texts
        whole = "\n".join(texts)
        # All at once takes a tenth of the time.
        if self._seen(whole) is whole:
            replaced = self(whole, size * len(texts))
            if len(replaced) <= size * len(texts):
                return replaced.split("\n")
        return [self(text, size) for text in texts]

    def _seen(self, text: str) -> str:
        """``text``, or without what shows nothing where that hides a word."""
        if text.isascii():
            return text
        seen = _UNSEEN.sub("", text)
        if len(seen) == len(text):
            return text
        hidden = any(seen.count(old) > text.count(old) for old, _ in self._olds)
        return seen if hidden else text


NOTHING = Replacements()


def parseReplacements(options: Iterable[str]) -> Replacements:
    """
    What the options ``--replace OLD=NEW`` describe. The first equals sign ends OLD; NEW may be
    empty.

    @raise ValueError: when one of them can't be understood, with the reason.
    """
    pairs = []
    for option in options:
        old, equals, new = option.partition("=")
        if not equals or not old:
            raise ValueError("it takes OLD=NEW")
        pairs.append((old, new))
    return Replacements(pairs)
