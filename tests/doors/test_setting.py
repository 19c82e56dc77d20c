"""What is said to a setter port."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.setter.grammar import Setting, encode, linesOf, parse
from fingerd.text.lasting import seconds


def read(data: bytes) -> Setting:
    """The setting in the lines of ``data``."""
    return parse(data.split(b"\n")[:-1])


class StatusTests(SynchronousTestCase):
    """The user and the status."""

    def test_twoLines(self) -> None:
        """The talk's two lines are the user and the status; white space around doesn't count."""
        self.assertEqual(read(b"moshez\nHappy and well\n"), Setting("moshez", "Happy and well"))
        self.assertEqual(read(b" moshez\t\n\t Happy \n"), Setting("moshez", "Happy"))

    def test_severalLines(self) -> None:
        r"""``\n`` is a line end and ``\\`` a backslash."""
        self.assertEqual(read(rb"moshez" b"\n" rb"one\ntwo\\n" b"\n").text, "one\ntwo\\n")

    def test_otherBackslashes(self) -> None:
        """A backslash that is neither, in the middle or at the end, stays as it is."""
        self.assertEqual(read(b"moshez\nC:\\temp \\o/ \\\n").text, "C:\\temp \\o/ \\")

    def test_empty(self) -> None:
        """A status of white space and line ends only is empty, which clears."""
        for line in (b"", b" \t", rb"\n \n"):
            self.assertEqual(read(b"moshez\n" + line + b"\n").text, "")

    def test_notUTF8(self) -> None:
        """A status in another encoding is refused in words, and so is such a user."""
        for data in (b"moshez\ncaf\xe9\n", b"mosh\xe9\nhi\n", b"moshez\n\xed\xa0\x80\n"):
            self.assertIn("UTF-8", str(self.assertRaises(ValueError, read, data)))

    @given(st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n\t\\")))
    def test_roundTrip(self, text: str) -> None:
        """Every status that may be set arrives as it was, whatever backslashes it has."""
        text = text.strip(" \t\n")
        self.assertEqual(read(encode(Setting("moshez", text))), Setting("moshez", text))

    @given(st.lists(st.binary(), min_size=2, max_size=3))
    def test_anyBytes(self, lines: list[bytes]) -> None:
        """No bytes do worse than being refused."""
        linesOf(lines[0])
        with contextlib.suppress(ValueError):
            self.assertIsInstance(parse(lines), Setting)


class EndTests(SynchronousTestCase):
    """The third line."""

    def test_announced(self) -> None:
        """The first line says that there are three; no login alone says so."""
        self.assertEqual(linesOf(b"moshez 3"), 3)
        self.assertEqual(linesOf(b"\tmoshez \t3 "), 3)
        for first in (b"moshez", b"3", b" 3", b"moshez 4", b"moshez 33", b"moshez3", b"a b 3", b""):
            self.assertEqual(linesOf(first), 2, first)

    def test_threeLines(self) -> None:
        """The third line is how long the status lasts."""
        self.assertEqual(read(b"moshez  3\nAt lunch\n 2h \n"), Setting("moshez", "At lunch", 7200))
        wanted = Setting("moshez", "At lunch", 90)
        self.assertEqual(read(encode(wanted)), wanted)

    def test_times(self) -> None:
        """Times are numbers with units, the larger ones first."""
        for text, expected in {
            "1s": 1,
            "90m": 5400,
            "1h30m": 5400,
            "2d": 172800,
            "1d1h1m1s": 90061,
            "366d": 31622400,
            "0s": 0,
            "0d0h": 0,
        }.items():
            self.assertEqual(seconds(text), expected)

    def test_noTimes(self) -> None:
        """What is no time is refused in words."""
        notTimes = ["", "2", "h", "2 h", "2h 1m", "1m1h", "-1h", "1.5h", "2H", "\u0662h", "2w"]
        for text in [*notTimes, "9" * 5000 + "s"]:
            self.assertIn("such as", str(self.assertRaises(ValueError, seconds, text)))

    def test_controlCharacters(self) -> None:
        """Nor is there an escape sequence in it."""
        for bad in (b"\x1b[2J", b"\x00", b"\r", b"\x7f", b"\xc2\x9b"):
            words = str(self.assertRaises(ValueError, read, b"moshez 3\nBusy\n2" + bad + b"h\n"))
            self.assertIn("control characters", words)
