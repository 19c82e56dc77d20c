"""Text in columns."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.text.cleaning import cleanLine
from fingerd.text.columns import COLUMNS, pair
from fingerd.text.columns import table as lazyTable
from fingerd.text.width import beginsCombining, displayWidth
from tests.text.test_width import TEXTS


def table(columns: Sequence[Sequence[str]]) -> list[str]:
    """All the lines of a table."""
    return [line for line in lazyTable(columns) if line is not None]


def isText(text: str) -> bool:
    """
    Whether a width can be told for C{text}: for marks and Hangul vowels that follow nothing they
    belong to, wcwidth's depends on what stands around them.
    """
    return not beginsCombining(text) and (
        displayWidth(text) + 2 == displayWidth(f"{text} |") == displayWidth(f"| {text}")
    )


CELLS = (
    st.one_of(
        st.text(),
        st.text(alphabet="abé \u0301\u0328…"),
        st.text(alphabet="山田か한글가\u3099"),
        st.text(alphabet="สมชาย\u0e33\u0e31\u0e49"),
        st.text(alphabet="नमस्ते"),
        st.text(alphabet="👍🏽🇮🇱❤\ufe0f☕a"),
    )
    .map(lambda text: cleanLine(text).strip())
    .filter(isText)
)


class PairTests(SynchronousTestCase):
    """Two texts of a header."""

    def test_sideBySide(self) -> None:
        """The second begins where it does in finger(1), also after wide letters."""
        self.assertEqual(
            pair("Login: moshez", "Name: Moshe"), "Login: moshez".ljust(40) + "Name: Moshe"
        )
        self.assertEqual(pair("Login: 山田", "Name: Y"), "Login: 山田" + " " * 29 + "Name: Y")

    def test_tooLong(self) -> None:
        """Where they don't fit on one line they have two."""
        self.assertEqual(pair("x" * 39, "y" * 40), "x" * 39 + " " + "y" * 40)
        self.assertEqual(pair("x" * 40, "y"), "x" * 40 + "\ny")
        self.assertEqual(pair("x", "y" * 41), "x\n" + "y" * 41)

    def test_one(self) -> None:
        """One alone stands at the beginning of the line."""
        self.assertEqual(pair("x", ""), "x")
        self.assertEqual(pair("", "y"), "y")


class TableTests(SynchronousTestCase):
    """Texts in columns that are aligned on a terminal."""

    def test_aligned(self) -> None:
        """Each column begins in the same place in every line, whatever the letters."""
        self.assertEqual(
            table([["moshez", "山田", "jose\u0301"], ["Happy", "☕", "Busy"]]),
            ["moshez  Happy", "山田    ☕", "jose\u0301    Busy"],
        )

    def test_allFits(self) -> None:
        """Where there is room for all, nothing is cut."""
        texts = ["x" * 60, "y" * 3]
        self.assertEqual(table([texts, ["a" * 18, "b"]])[0], "x" * 60 + "  " + "a" * 18)

    def test_aFewLongOnes(self) -> None:
        """A few very long logins are cut, and leave the room to the others."""
        logins = ["someone"] * 19 + ["x" * 300]
        lines = table([logins, ["Some Name"] * 20, ["y" * 60] * 20])
        self.assertEqual(lines[0], "someone  Some Name  " + "y" * 60)
        self.assertEqual(lines[19], "xxxxxx…  Some Name  " + "y" * 60)

    def test_fairShares(self) -> None:
        """Of columns that are all too wide none takes the room of the others."""
        line = table([["a" * 200] * 3, ["bbb"] * 3, ["c" * 200] * 3])[0]
        self.assertEqual([len(cell) for cell in line.split()], [36, 3, 37])

    def test_mostlyEmpty(self) -> None:
        """A column that hardly anyone has anything in still has room for it."""
        lines = table([["a" * 78] * 20, [""] * 19 + ["status"]])
        self.assertTrue(lines[19].endswith("  status"), lines[19])

    def test_noSpacesAtTheEnd(self) -> None:
        """A line has no spaces at its end."""
        self.assertEqual(table([["a", "b"], ["long", ""]]), ["a  long", "b"])

    @given(
        st.integers(1, 9).flatmap(
            lambda columns: st.lists(
                st.lists(TEXTS, min_size=columns, max_size=columns), min_size=1
            )
        )
    )
    @example([["x" * 76, "\u1160\u093e0"], ["y" * 76, "\u1160\u094d"]])
    def test_anyTexts(self, rows: list[list[str]]) -> None:
        """Whatever is in it, no line is wider than a terminal, and none is missing."""
        lines = table(list(zip(*rows, strict=True)))
        self.assertEqual(len(lines), len(rows))
        self.assertEqual([line for line in lines if displayWidth(line) > COLUMNS], [])

    @given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
    def test_anyAlignment(self, rows: list[tuple[str, str]]) -> None:
        """Whatever is in the columns before it, the last one begins in the same place."""
        first, second = zip(*rows, strict=True)
        lines = table([first, second, ["|"] * len(rows)])
        self.assertEqual({line[-1] for line in lines}, {"|"})
        self.assertEqual(len({displayWidth(line) for line in lines}), 1)
