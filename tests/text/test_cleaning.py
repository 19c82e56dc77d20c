"""What is taken out of the texts that users wrote."""

from __future__ import annotations

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.text.cleaning import clean, cleanLine


class CleanTests(SynchronousTestCase):
    """A text can't drive its reader's terminal, and says otherwise what it said."""

    def test_everyCharacter(self) -> None:
        """
        Controls but TAB and line end, format characters and surrogates go; every other
        character of Unicode stays. The line separators become line ends.
        """
        wrong = []
        for code in range(sys.maxunicode + 1):
            character = chr(code)
            if character in "\r\u2028\u2029":
                expected = "\n"
            elif character in "\t\n":
                expected = character
            else:
                gone = unicodedata.category(character) in ("Cc", "Cf", "Cs")
                expected = "" if gone else character
            # Format characters that Unicode has got since this Python's tables were made.
            new = unicodedata.category(character) == "Cn" and clean(character) == ""
            # Between printable letters, and beside what keeps the text from being printable.
            if not new and (
                clean(f"a{character}b") != f"a{expected}b"
                or clean(f"\xa0{character}") != f"\xa0{expected}"
            ):
                wrong.append(hex(code))
        self.assertEqual(wrong, [])

    def test_escapes(self) -> None:
        """What would colour, clear or retitle a terminal is left as harmless letters."""
        self.assertEqual(clean("\x1b[31mred\x1b]0;title\x07\x9b2J"), "[31mred]0;title2J")

    def test_turnedAround(self) -> None:
        """Text can't be shown in another order than it was written in."""
        self.assertEqual(clean("evil\u202etxt.exe\u2066\u200f"), "eviltxt.exe")

    def test_lineEnds(self) -> None:
        """Line ends of every system are one line end each."""
        self.assertEqual(clean("a\r\nb\rc\nd\u2028e\u2029f"), "a\nb\nc\nd\ne\nf")

    def test_utf8(self) -> None:
        """Letters of every script, accents and emoji stay whole."""
        for text in (
            "Está en la reunión",
            "משה",
            "山田さん",
            "e\u0301",
            "☕ ❤\ufe0f 👍🏽 🇮🇱",
            "\xa0",
        ):
            self.assertEqual(clean(text), text)

    @given(st.text())
    def test_anyText(self, text: str) -> None:
        """Of any text nothing harmful is left, and cleaning it again changes nothing."""
        cleaned = clean(text)
        harmful = [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
        self.assertEqual([c for c in harmful if c not in "\t\n"], [])
        self.assertEqual(clean(cleaned), cleaned)

    @given(st.text())
    def test_oneLine(self, text: str) -> None:
        """What has to be one line is one, without a TAB."""
        for character in "\n\r\t":
            self.assertNotIn(character, cleanLine(text))
