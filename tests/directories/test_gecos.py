"""The GECOS field."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.accounts.gecos import userOf
from fingerd.directories.accounts.passwd_format import Account

_LETTER = st.characters(exclude_categories=["Cs"])
_PART = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=",&"), max_size=50).map(
    str.strip
)


def parse(field: str, login: str, longest: int) -> list[str]:
    """The name, the office, its phone and the phone at home that such an account has."""
    user = userOf(Account(login, 1000, field, "/"), longest)
    return [user.name, user.office, user.officePhone, user.homePhone]


class GecosTests(SynchronousTestCase):
    """What is read from the field that chfn(1) writes."""

    def test_parts(self) -> None:
        """A full field is a name, an office, its phone and the phone at home."""
        self.assertEqual(
            parse("Ada Lovelace,Room 1,555 1234,555 4321", "ada", 256),
            ["Ada Lovelace", "Room 1", "555 1234", "555 4321"],
        )

    def test_fewer(self) -> None:
        """Parts that are not there are not known."""
        self.assertEqual(parse("", "ada", 256), ["", "", "", ""])
        self.assertEqual(parse("Ada", "ada", 256), ["Ada", "", "", ""])
        self.assertEqual(parse(",,555 1234", "ada", 256), ["", "", "555 1234", ""])
        self.assertEqual(parse("PostgreSQL administrator,,,", "postgres", 256)[1:], ["", "", ""])

    def test_more(self) -> None:
        """What comes after the fourth part is nobody's business."""
        self.assertEqual(parse("a,b,c,d,umask=022,e", "x", 256), ["a", "b", "c", "d"])

    def test_ampersand(self) -> None:
        """An ampersand in the name is the login with a capital; elsewhere it is itself."""
        self.assertEqual(parse("& Lovelace,R & D", "ada", 256), ["Ada Lovelace", "R & D", "", ""])
        self.assertEqual(parse("&-&", "éva", 256)[0], "Éva-Éva")

    def test_long(self) -> None:
        """No part is longer than allowed, with any number of ampersands in it."""
        parts = parse(",".join(["&" * 100_000] * 4), "x" * 256, 256)
        self.assertEqual([len(part) for part in parts], [256] * 4)

    def test_notUTF8(self) -> None:
        """A name in an old character set is shown with its letters in doubt marked."""
        field = b"Jos\xe9,B\xfcro".decode("utf-8", "surrogateescape")
        self.assertEqual(parse(field, "jose", 256), ["Jos\ufffd", "B\ufffdro", "", ""])

    @given(st.binary(max_size=200), st.text(_LETTER, min_size=1, max_size=10))
    def test_anything(self, field: bytes, login: str) -> None:
        """Any bytes can be read; what comes out is UTF-8 and short."""
        for part in parse(field.decode("utf-8", "surrogateescape"), login, 20):
            self.assertLessEqual(len(part), 20)
            part.encode("utf-8")

    @given(st.lists(_PART, min_size=4, max_size=4))
    def test_whatIsWrittenIsRead(self, gecos: list[str]) -> None:
        """What chfn(1) was told is what is read."""
        self.assertEqual(parse(",".join(gecos), "ada", 256), gecos)
