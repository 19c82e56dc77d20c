"""The whitewash."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.text.cleaning import clean
from fingerd.text.replacing import NOTHING, Replacements, parseReplacements

SIZE = 1000


class ParseReplacementsTests(SynchronousTestCase):
    """``--replace OLD=NEW``"""

    def replaced(self, text: str, *options: str) -> str:
        """C{text} as the daemon says it with these options."""
        return parseReplacements(options)(text, SIZE)

    def test_talk(self) -> None:
        """The talk's own: a name that must not be named."""
        self.assertEqual(
            self.replaced("I use Microsoft here", "Microsoft=It which cannot be named"),
            "I use It which cannot be named here",
        )

    def test_none(self) -> None:
        """Without the option everything stays as it is."""
        self.assertEqual(self.replaced("Microsoft"), "Microsoft")
        self.assertFalse(NOTHING)

    def test_equalsSign(self) -> None:
        """The first equals sign ends what is replaced, and what replaces it may have others."""
        self.assertEqual(self.replaced("a", "a=b=c"), "b=c")

    def test_nothingInstead(self) -> None:
        """A word can be taken out."""
        self.assertEqual(self.replaced("so fine", "so ="), "fine")

    def test_mistakes(self) -> None:
        """What makes no sense is refused in words."""
        for options, words in (
            (["Microsoft"], "it takes OLD=NEW"),
            (["=x"], "it takes OLD=NEW"),
            ([""], "it takes OLD=NEW"),
            (["a=b", "a=c"], "'a' is replaced twice"),
            (["a\nb=c"], "'a\\nb' has several lines: a replacement is within a line"),
            (["\u200b=c"], "'\\u200b' has nothing that could be replaced"),
        ):
            error = self.assertRaises(ValueError, parseReplacements, options)
            self.assertEqual(str(error), words)

    def test_tooMany(self) -> None:
        """There is an end to how many there can be."""
        options = [f"word{number}=x" for number in range(2049)]
        parseReplacements(options[:-1])
        error = self.assertRaises(ValueError, parseReplacements, options)
        self.assertEqual(str(error), "more than 2048 replacements")

    def test_notTwice(self) -> None:
        """What was put in is not replaced again, so that words can change places."""
        self.assertEqual(self.replaced("a b", "a=b", "b=a"), "b a")
        self.assertEqual(self.replaced("Perl", "Perl=Perl 6"), "Perl 6")

    def test_longestFirst(self) -> None:
        """Of two that overlap the longer one counts, in whatever order they are given."""
        for options in (("foo=1", "foobar=2"), ("foobar=2", "foo=1")):
            self.assertEqual(self.replaced("foobar foo", *options), "2 1")

    def test_harmless(self) -> None:
        """What is put in is clean too."""
        self.assertEqual(self.replaced("x", "x=\x1b[2Jy\nz"), "[2Jy z")


class HiddenTests(SynchronousTestCase):
    """A word can't be hidden from the whitewash."""

    def test_invisible(self) -> None:
        """Characters that show nothing don't hide a word, whether cleaning takes them or not."""
        replacements = Replacements([("foo", "bar")])
        for between in ("\u200b", "\u00ad", "\u202e", "\u034f", "\ufe0f", "\u3164", "\U000e0100"):
            text = clean(f"a f{between}o{between}{between}o b")
            self.assertEqual(replacements(text, SIZE), "a bar b", ascii(between))

    def test_visible(self) -> None:
        """Where they hide nothing they stay: emoji need them."""
        self.assertEqual(Replacements([("foo", "bar")])("❤\ufe0f foo", SIZE), "❤\ufe0f bar")

    def test_accents(self) -> None:
        """An accent may be a character of its own, in the option or in the text."""
        for old in ("café", "cafe\u0301"):
            replacements = Replacements([(old, "bar")])
            for text in ("café", "cafe\u0301"):
                self.assertEqual(replacements(text, SIZE), "bar")


class BoundsTests(SynchronousTestCase):
    """What a replacement costs has a bound, and no text runs into another."""

    def test_growing(self) -> None:
        """A text that would become enormous is made no longer than it is wanted, and one more."""
        replacements = Replacements([("a", "b" * 1_000_000), ("c", "d" * 1_000_000)])
        self.assertEqual(replacements("ac" * 200_000, SIZE), "b" * (SIZE + 1))

    def test_shrinking(self) -> None:
        """What fits once it is replaced is whole."""
        self.assertEqual(Replacements([("x" * 10, "")])("x" * 5000 + "end", SIZE), "end")

    def test_ofEach(self) -> None:
        """Each text is replaced for itself: a word isn't found across two of them."""
        replacements = Replacements([("ab", "X"), ("a b", "Y")])
        for texts in (
            ["a", "b", "ab", ""],
            ["a ", " b", "a b"],
            ["é a", "b"],
            ["f\u034foo", "a\u034fb"],
        ):
            expected = [replacements(text, SIZE) for text in texts]
            self.assertEqual(replacements.ofEach(texts, SIZE), expected)

    def test_ofEachGrowing(self) -> None:
        """Also where one grows so much that it would leave no room for the others."""
        replacements = Replacements([("a", "b" * 100)])
        self.assertEqual(
            replacements.ofEach(["a" * 10, "x", "a"], 100), ["b" * 101, "x", "b" * 100]
        )

    @given(
        st.dictionaries(st.text("abc", min_size=1, max_size=3), st.text("abcd", max_size=5)),
        st.text("abc\n\ufe0fé"),
        st.integers(0, 50),
    )
    def test_anyText(self, pairs: dict[str, str], text: str, size: int) -> None:
        """A bounded result is the beginning of the unbounded one, with nothing else in it."""
        replacements = Replacements(pairs.items())
        whole = replacements(text, 10**6)
        self.assertEqual(replacements(text, size), whole[: size + 1])
        self.assertEqual(clean(whole), whole)
        self.assertEqual(whole.count("\n"), text.count("\n"))
