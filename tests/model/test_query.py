"""The grammar of the request line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.query import NOBODY, Name, Query, parse
from fingerd.model.user import isLogin


class ParseTests(SynchronousTestCase):
    """What a request line means."""

    def test_nothing(self) -> None:
        """An empty line, and one of nothing but white space and commas, asks for the list."""
        for line in (b"", b" ", b"\t", b" , \t"):
            self.assertEqual(parse(line), Query(), line)

    def test_oneName(self) -> None:
        """A name asks for that user."""
        self.assertEqual(parse(b"moshez"), Query((Name("moshez"),)))

    def test_whiteSpace(self) -> None:
        """White space around a name doesn't count: ELinks sends a leading space."""
        for line in (b" moshez", b"moshez ", b"\tmoshez\t", b"  moshez  "):
            self.assertEqual(parse(line), Query((Name("moshez"),)), line)

    def test_utf8(self) -> None:
        """A name can have any letters."""
        self.assertEqual(parse("josé".encode()), Query((Name("josé"),)))

    def test_verbose(self) -> None:
        """/W in any case, before the name or behind it, asks for more."""
        for line in (b"/W moshez", b"/w moshez", b"moshez /W", b"moshez /w", b"  /W  moshez "):
            self.assertEqual(parse(line), Query((Name("moshez"),), verbose=True), line)

    def test_verboseList(self) -> None:
        """/W alone asks for the list with more in it: finger -l @host sends a trailing space."""
        for line in (b"/W", b"/w", b"/W "):
            self.assertEqual(parse(line), Query(verbose=True), line)

    def test_otherSwitch(self) -> None:
        """Another switch is ignored, wherever it stands."""
        for line in (b"/X moshez", b"moshez /X", b"/Wide moshez", b"/ moshez"):
            self.assertEqual(parse(line), Query((Name("moshez"),)), line)

    def test_severalNames(self) -> None:
        """Names may be separated by spaces or commas, and are answered in their order."""
        names = (Name("a"), Name("b"), Name("c"))
        for line in (b"a b c", b"a,b,c", b"a, b ,, c", b"a\tb c"):
            self.assertEqual(parse(line), Query(names), line)

    def test_forwarding(self) -> None:
        """The right-most host is the next one to ask, and what is left of it is asked there."""
        self.assertEqual(parse(b"a@h"), Query((Name("a", "h"),)))
        self.assertEqual(parse(b"@h"), Query((Name("", "h"),)))
        self.assertEqual(parse(b"a@h1@h2"), Query((Name("a@h1", "h2"),)))
        self.assertEqual(parse(b"/W a@h"), Query((Name("a", "h"),), verbose=True))
        self.assertEqual(parse(b"a@"), Query((Name("a", ""),)))

    def test_impossible(self) -> None:
        """A line with control characters, or that isn't UTF-8, asks for nobody."""
        for line in (b"mo\0shez", b"moshez\x1b[2J", b"\x7f", "\x85".encode(), b"\xff", b"a \xc3"):
            self.assertEqual(parse(line), Query((NOBODY,)), line)

    def test_requestsOfOthers(self) -> None:
        """What scanners and browsers send is names that nobody has."""
        self.assertEqual(parse(b"GET / HTTP/1.0"), Query((Name("GET"), Name("HTTP/1.0"))))

    @given(st.binary(max_size=600))
    def test_anyBytes(self, line: bytes) -> None:
        """No bytes are too much for it, and no name it finds can hide a switch or a control."""
        for name in parse(line).names:
            self.assertFalse(name.user.startswith("/"))
            self.assertTrue(name.host is not None or name == NOBODY or " " not in name.user)
            self.assertFalse(any(ord(character) < 32 for character in name.user))

    @given(st.text().filter(isLogin), st.booleans())
    def test_everyLoginCanBeAsked(self, login: str, verbose: bool) -> None:
        """Whatever can be a login can be asked for."""
        line = f"/W {login}" if verbose else login
        self.assertEqual(parse(line.encode()), Query((Name(login),), verbose))
