"""What is said to a setter port."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.setter.grammar import (
    MAY_END,
    WITH_TEXT,
    Setting,
    Verb,
    encode,
    linesOf,
    parse,
    readTold,
    told,
)
from fingerd.model.record import Entry, Part
from fingerd.text.cleaning import clean
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


class LongerTests(SynchronousTestCase):
    """The longer form."""

    def test_verbs(self) -> None:
        """What is to be done stands behind the user, and how long it lasts behind that."""
        for request, wanted in {
            b"moshez plan\nTo write.\\nAnd more.\n": Setting(
                "moshez", "To write.\nAnd more.", None, Verb.PLAN
            ),
            b" moshez \tstatus  2h \nAt lunch\n": Setting("moshez", "At lunch", 7200, Verb.STATUS),
            b"moshez project\n\n": Setting("moshez", "", None, Verb.PROJECT),
            b"moshez hide 1d\n": Setting("moshez", "", 86400, Verb.HIDE),
            b"moshez undo\n": Setting("moshez", "", None, Verb.UNDO),
        }.items():
            self.assertEqual(read(request), wanted)
            self.assertEqual(linesOf(request.split(b"\n")[0]), request.count(b"\n"))

    def test_others(self) -> None:
        """A login is none of these words, and a word that is none of them is the talk's form."""
        for first in (b"plan", b" undo", b"moshez plans", b"moshez Plan", b"a b plan", b"plan 3x"):
            self.assertEqual(linesOf(first), 2, first)
        self.assertEqual(read(b"plan\nA user's status\n"), Setting("plan", "A user's status"))
        self.assertEqual(read(b"hide hide\n"), Setting("hide", "", None, Verb.HIDE))

    def test_refused(self) -> None:
        """A time where nothing ends, or that is none, is refused in words."""
        for request, words in {
            b"moshez undo 2h\n": "behind undo nothing is said",
            b"moshez show me\n": "behind show nothing is said",
            b"moshez hide soon\n": "such as 90s",
            b"moshez plan 2h 3h\nx\n": "such as 90s",
            b"moshez hide 2h\x1b\n": "control characters",
            b"moshez plan\n\xff\n": "UTF-8",
        }.items():
            self.assertIn(words, str(self.assertRaises(ValueError, read, request)))

    @given(
        st.sampled_from(Verb),
        st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n\t\\")),
        st.none() | st.integers(0, 10**9),
    )
    def test_roundTrip(self, verb: Verb, text: str, seconds: int | None) -> None:
        """Whatever is asked for arrives as it was."""
        text = text.strip(" \t\n") if verb in WITH_TEXT else ""
        wanted = Setting("moshez", text, seconds if verb in MAY_END else None, verb)
        data = encode(wanted)
        self.assertEqual(read(data), wanted)
        self.assertEqual(linesOf(data.split(b"\n")[0]), data.count(b"\n"))

    @given(st.sampled_from(Verb), st.binary(), st.binary())
    def test_anyBytes(self, verb: Verb, behind: bytes, line: bytes) -> None:
        """No bytes do worse than being refused."""
        lines = [b"moshez " + verb.encode() + behind, line]
        with contextlib.suppress(ValueError):
            self.assertIsInstance(parse(lines[: linesOf(lines[0])]), Setting)

    @given(
        st.sampled_from(Part),
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp", "Co", "Cn"])),
        st.none() | st.integers(0, 10**10),
    )
    def test_told(self, part: Part, text: str, until: int | None) -> None:
        """What the answer tells of a status can be read, to the second."""
        text = clean(text)[:500]
        status = Entry(f"{text}\n\\n\t.", 1e9, "uid 0 (root)", until, part)
        self.assertEqual(readTold(told("before", status)), ("before", status))

    def test_toldShort(self) -> None:
        """Of a long text the beginning is told, and nothing that a terminal would act on."""
        _, status = readTold(told("now", Entry("ab\x1b[2J\u202e" * 1000, 1.0)))
        self.assertEqual(len(status.text), 201)
        self.assertTrue(status.text.startswith("ab[2Jab[2J") and status.text.endswith("\u2026"))
