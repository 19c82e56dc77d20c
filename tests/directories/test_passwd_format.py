"""The format of passwd(5)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.accounts.passwd_format import (
    LARGEST_UID,
    Account,
    PasswdReader,
    fromTable,
    parse,
)
from fingerd.directories.watched.table import Table
from fingerd.model.user import isLogin
from tests.support.ports import cut

EVERYONE = range(LARGEST_UID + 1)


def read(*pieces: bytes, uids: range = EVERYONE) -> tuple[list[Account], list[str]]:
    """The accounts in a file that comes in pieces, and what is said of its lines."""
    table = Table(listed=1000)
    reader = PasswdReader(table, longest=1000, uids=uids)
    for piece in pieces:
        reader.feed(piece)
    reader.end()
    return [fromTable(*entry) for entry in table.first(1000)], reader.reasons


_LOGIN = st.text(st.characters(exclude_characters=":#"), min_size=1, max_size=20).filter(isLogin)
_FIELD = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=":\n\r\0"), max_size=30
)


class PasswdFormatTests(SynchronousTestCase):
    """What a file of accounts can say."""

    def test_line(self) -> None:
        """A line has login, password, uid, gid, GECOS, home and shell."""
        self.assertEqual(
            parse("ada:x:1000:100:Ada Lovelace,,,:/home/ada:/bin/sh"),
            Account("ada", 1000, "Ada Lovelace,,,", "/home/ada"),
        )

    def test_file(self) -> None:
        """Accounts come in the order of the file; comments and blank lines are nothing."""
        accounts, reasons = read(b"# people\nb:*:2:2:B:/b:\n\na::1:1:A:/a:/bin/sh\r\n")
        self.assertEqual(accounts, [Account("b", 2, "B", "/b"), Account("a", 1, "A", "/a")])
        self.assertEqual(reasons, [])

    def test_firstLineWins(self) -> None:
        """Of two lines for one login the first counts, as for the rest of the system."""
        accounts, reasons = read(b"a:x:1:1:A:/a:\na:x:0:0:Root:/root:\n")
        self.assertEqual(accounts, [Account("a", 1, "A", "/a")])
        self.assertEqual(reasons, ["line 2: there was this user before"])

    def test_uids(self) -> None:
        """Who isn't wanted isn't there, and nothing is wrong with that."""
        accounts, reasons = read(b"a:x:1:1::/:\nb:x:2:2::/:\nc:x:3:3::/:\n", uids=range(2, 3))
        self.assertEqual([account.login for account in accounts], ["b"])
        self.assertEqual(reasons, [])

    def test_notUTF8(self) -> None:
        """A name or a home in an old character set does no harm."""
        accounts, reasons = read(b"jose:x:1:1:Jos\xe9:/home/jos\xe9:\n")
        self.assertEqual(reasons, [])
        home = accounts[0].home.encode("utf-8", "surrogateescape")
        self.assertEqual(home, b"/home/jos\xe9")

    def test_malformed(self) -> None:
        """A malformed line is skipped, with its number; the others count."""
        accounts, reasons = read(
            b"a:x:1:1::/a:\n"
            b"six:x:1:1::/\n"
            b"eight:x:1:1::/::\n"
            b"+::::::\n"
            b"-l:x:1:1::/:\n"
            b"d:x:-1:1::/:\n"
            b"d:x:4294967295:1::/:\n"
            b"d:x:1:users::/:\n"
            b"d:x:\xd9\xa1:1::/:\n"
            b"jos\xe9:x:1:1::/:\n"
            b"d:x:1:1::/d\0:\n"
            b"z:x:26:26::/z:\n"
        )
        self.assertEqual([account.login for account in accounts], ["a", "z"])
        uid = "a number from 0 to 4294967294"
        self.assertEqual(
            reasons,
            [
                "line 2: 6 fields, and not 7",
                "line 3: 8 fields, and not 7",
                f"line 4: '' is not a gid: {uid}",
                "line 5: no user can be called that",
                f"line 6: '-1' is not a uid: {uid}",
                f"line 7: '4294967295' is not a uid: {uid}",
                f"line 8: 'users' is not a gid: {uid}",
                f"line 9: '\u0661' is not a uid: {uid}",
                "line 10: no user can be called that",
                "line 11: a NUL in it",
            ],
        )

    def test_long(self) -> None:
        """A line that is too long is skipped, and so is a login that nobody could ask for."""
        accounts, reasons = read(
            b"a:x:1:1:" + b"x" * 1000 + b":/a:\n" + b"b" * 257 + b":x:1:1::/b:\nc:x:1:1::/c:\n"
        )
        self.assertEqual([account.login for account in accounts], ["c"])
        self.assertEqual(
            reasons, ["line 1: longer than 1000 bytes", "line 2: no user can be called that"]
        )

    @given(st.binary(max_size=300), st.lists(st.integers(min_value=0), max_size=5))
    def test_anyPieces(self, data: bytes, places: list[int]) -> None:
        """Any bytes can be read, and mean the same in any pieces."""
        self.assertEqual(read(*cut(data, places)), read(data))

    @given(
        st.lists(
            st.tuples(_LOGIN, st.integers(0, LARGEST_UID), _FIELD, _FIELD),
            max_size=10,
            unique_by=lambda fields: fields[0],
        )
    )
    def test_whatIsWrittenIsRead(self, fields: list[tuple[str, int, str, str]]) -> None:
        """Whatever accounts are written to a file, these are read from it."""
        accounts = [Account(*values) for values in fields]
        data = "".join(f"{a.login}:x:{a.uid}:0:{a.gecos}:{a.home}:/bin/sh\n" for a in accounts)
        self.assertEqual(read(b"#\n" + data.encode()), (accounts, []))
