"""How wide texts are, and how they are cut."""

from __future__ import annotations

import re
import sys
from unittest.mock import patch

import wcwidth
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.text import width
from fingerd.text.cleaning import cleanLine
from fingerd.text.width import clip, displayWidth

# Texts that are wide, combining, joined, or all of it at once.
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="ab é山か한\u0301\u0e33\u0e31ส\u093f\u094dक👍🏽🇮🇱❤\ufe0f\u1100\u1161\u11a8"),
).map(cleanLine)


class DisplayWidthTests(SynchronousTestCase):
    """A width is what a terminal shows."""

    def test_widths(self) -> None:
        """Wide letters and emoji take two columns, accents none."""
        for text, columns in (
            ("", 0),
            ("moshez", 6),
            ("José", 4),
            ("Jose\u0301", 4),
            ("משה", 3),
            ("山田", 4),
            ("한글", 4),
            ("☕", 2),
            ("👍🏽", 2),
        ):
            self.assertEqual(displayWidth(text), columns, text)

    def test_simpleLetters(self) -> None:
        """The letters that are counted without asking are as wide as the library says."""
        for letters, columns in ((width._NARROW, 1), (width._WIDE, 2)):
            one = re.compile(f"[{letters}]")
            found = [c for c in map(chr, range(sys.maxunicode + 1)) if one.match(c)]
            self.assertEqual([c for c in found if wcwidth.wcwidth(c) != columns], [])
            # And none of them is one letter with another.
            text = "".join(found + found[::-1])
            self.assertEqual(len(list(wcwidth.iter_graphemes(text))), len(text))

    @given(TEXTS)
    def test_eitherWay(self, text: str) -> None:
        """Where the library has only its Python code, a text is as wide as elsewhere."""
        with patch.object(wcwidth, "HAS_C_EXTENSION", False):
            slow = displayWidth(text)
        with patch.object(wcwidth, "HAS_C_EXTENSION", True):
            self.assertEqual(displayWidth(text), slow)


class ClipTests(SynchronousTestCase):
    """A text that is too wide is cut."""

    def test_cut(self) -> None:
        """What is cut ends in an ellipsis; what fits is left as it is."""
        for text, columns, expected in (
            ("moshez", 6, "moshez"),
            ("moshez", 5, "mosh…"),
            ("moshez", 1, "…"),
            ("Happy and well", 7, "Happy…"),
            ("山田太郎", 8, "山田太郎"),
            ("山田太郎", 7, "山田太…"),
            ("山田太郎", 6, "山田…"),
            ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
            ("👍🏽👍🏽👍🏽", 4, "👍🏽…"),
            ("🇮🇱🇮🇱🇮🇱", 5, "🇮🇱🇮🇱…"),
            # A sign that joins what is beside it, and so has another width beside an ellipsis.
            ("\u094d0", 1, "…"),
        ):
            self.assertEqual(clip(text, columns), expected)

    @given(TEXTS, st.integers(1, 20))
    def test_anyText(self, text: str, columns: int) -> None:
        """It is never wider than it may be, and no letter is cut in two."""
        clipped = clip(text, columns)
        self.assertLessEqual(displayWidth(clipped), columns)
        if clipped != text:
            letters = list(wcwidth.iter_graphemes(text))
            starts = {"".join(letters[:count]).rstrip() + "…" for count in range(len(letters))}
            self.assertIn(clipped, starts)
