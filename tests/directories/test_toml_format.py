"""What a TOML file of users can say."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.toml_file import TomlReader, userOf
from fingerd.directories.watched.reader import Malformed
from fingerd.directories.watched.table import Table
from fingerd.model.user import User, isLogin
from tests.support.daemon import ROOT

EXAMPLE = ROOT / "etc" / "users.toml.example"
SIZE = 10_000


def read(data: bytes, size: int = SIZE, sip: int = 1 << 20) -> tuple[dict[str, User], list[str]]:
    """The users in a TOML file, read in sips of so many bytes, and what is said of the skipped."""
    table = Table(listed=100_000)
    reader = TomlReader(table, size)
    for place in range(0, len(data), sip):
        reader.feed(data[place : place + sip])
    reader.end()
    return {login: userOf(login, text) for login, text in table.first(100_000)}, reader.reasons


# The name that each key has in a user.
FIELDS = {
    "name": "name",
    "status": "status",
    "office": "office",
    "office_phone": "officePhone",
    "home_phone": "homePhone",
    "project": "project",
    "plan": "plan",
    "public_key": "publicKey",
}
_LINE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), min_size=1, max_size=20
)
# Among them what looks as if another table began.
_LINES = st.lists(st.one_of(_LINE, st.sampled_from(["[moshez]", "['x']", "[", '"""']))).map(
    "\n".join
)
# What TOML is made of.
_WORDS = [
    *("[", "]", "[[", "]]", "{", "}", ",", ".", "#", "=", "\n", "\n", "\n", "\r", " "),
    *("[a]\n", "[b]\n", "[a.b]\n", "[[a]]\n", "a", "b", "name", "hidden", "plan", "true", "1"),
    *("'x'", '"y"', "'", '"', "'''", '"""', "\\u0000", "\ufeff", "é", "\x80", "name = 'x'\n"),
]
_LOGIN = st.text(min_size=1, max_size=10).filter(isLogin)
_USER = st.fixed_dictionaries(
    {},
    optional={key: _LINES if key in ("status", "plan", "public_key") else _LINE for key in FIELDS},
)


def known(login: str, texts: dict[str, str]) -> User:
    """A user of whom that is known, by key."""
    fields: dict[str, Any] = {FIELDS[key]: text for key, text in texts.items()}
    return User(login)._replace(**fields)


def basic(text: str) -> str:
    """A text in quotes. TOML's are those of JSON, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def several(text: str) -> str:
    """A text in three quotes, on as many lines as it has."""
    return '"""\n' + "\n".join(basic(line)[1:-1] for line in text.split("\n")) + '"""'


def rendered(users: dict[str, dict[str, str]]) -> bytes:
    """These users as TOML."""
    lines = []
    for login, texts in users.items():
        lines.append(f"[{basic(login)}]")
        for key, text in texts.items():
            lines.append(f"{key} = {several(text) if key == 'plan' else basic(text)}")
    return "".join(f"{line}\n" for line in lines).encode()


class FormatTests(SynchronousTestCase):
    """What a TOML file can say."""

    def users(self, data: bytes) -> dict[str, User]:
        """The users of a file in which nothing is wrong."""
        users, reasons = read(data)
        self.assertEqual(reasons, [])
        return users

    def wrong(self, data: bytes, size: int = SIZE) -> str:
        """What is said of a file that isn't TOML."""
        return str(self.assertRaises(Malformed, read, data, size))

    def test_everyKey(self) -> None:
        """A table a user, with whatever is known of them."""
        for key in FIELDS:
            users = self.users(f"[moshez]\n{key} = 'Something'\n".encode())
            self.assertEqual(users, {"moshez": known("moshez", {key: "Something"})})

    def test_nothing(self) -> None:
        """Every key can be left out; an empty file has no users."""
        self.assertEqual(self.users(b"[a]\n[b]"), {"a": User("a"), "b": User("b")})
        self.assertEqual(self.users(b""), {})
        self.assertEqual(self.users(b"# nobody\n\n"), {})

    def test_example(self) -> None:
        """The example shows every key, and nothing is wrong in it."""
        data = EXAMPLE.read_bytes()
        users = self.users(data)
        for field in FIELDS.values():
            self.assertNotEqual(getattr(users["moshez"], field), "")
        self.assertIn("\n", users["moshez"].plan)
        self.assertIn("\n", users["radix"].status)
        self.assertIn("josé", users)
        self.assertIn(b"hidden = true", data)
        self.assertNotIn("root", users)

    def test_hidden(self) -> None:
        """A hidden user isn't there, and nothing is said of them; one who isn't hidden is."""
        users = self.users(b"[a]\nhidden = true\nstatus = 'x'\n[b]\nhidden = false\n")
        self.assertEqual(set(users), {"b"})

    def test_skipped(self) -> None:
        """A user of whom something makes no sense is skipped, and it is said what."""
        for table, reason in {
            "[a]\nfoo = 1": "user 'a': unknown key 'foo'",
            "[a]\n'x\x1by' = 1": "",
            '[a]\n"x\\u001by" = 1': "user 'a': unknown key 'x\\x1by'",
            "[a]\nname = 1": "user 'a': name is not a text",
            "[a]\nplan = ['x']": "user 'a': plan is not a text",
            "[a]\nstatus = 1979-05-27": "user 'a': status is not a text",
            "[a]\nhidden = 'no'": "user 'a': hidden is neither true nor false",
            "[a]\nhidden = 1": "user 'a': hidden is neither true nor false",
            "[a]\nhidden = true\nfoo = 1": "user 'a': unknown key 'foo'",
            '[a]\nname = "x\\ny"': "user 'a': name has more than one line",
            '[a]\nproject = "x\\ry"': "user 'a': project has more than one line",
            '[a]\nstatus = "x\\u0000y"': "user 'a': status has a NUL character in it",
            "[a.name]\n": "user 'a': name is not a text",
            "[a]\n[a.phones]\nx = 1": "user 'a': unknown key 'phones'",
            "[[a]]\n[[a]]": "user 'a': not a table",
            "['a b']": "user 'a b': no user can be called that",
            "['-a']": "user '-a': no user can be called that",
            "['']": "user '': no user can be called that",
            '["a\\u001b"]': "user 'a\\x1b': no user can be called that",
            f"[{'a' * 513}]": f"user '{'a' * 40}...': no user can be called that",
            f"[a]\n{'x' * 50} = 1": f"user 'a': unknown key '{'x' * 40}...'",
        }.items():
            if reason:
                data = f"[b]\nstatus = 'x'\n{table}\n[c]\n".encode()
                users, reasons = read(data)
                self.assertEqual(reasons, [reason])
                self.assertEqual(set(users), {"b", "c"}, table)

    def test_beforeTheFirstTable(self) -> None:
        """What stands before the first table can be a user too, in TOML's other forms."""
        users, reasons = read(b"title = 'Users'\na = {status = 'x'}\nb.status = 'y'\n[c]\n")
        self.assertEqual(reasons, ["user 'title': not a table"])
        self.assertEqual([user.status for user in users.values()], ["x", "y", ""])

    def test_lineEnds(self) -> None:
        """CR LF files are read, also those with a byte-order mark."""
        users = self.users(b"\xef\xbb\xbf[a]\r\nplan = '''\r\nx\r\ny'''\r\n[b]\r\n")
        self.assertEqual([user.plan for user in users.values()], ["x\ny", ""])

    def test_plansThatLookLikeTables(self) -> None:
        """A plan can have lines that look like the beginning of a table, any number of them."""
        plan = "[a]\n" * 500 + "[moshez]\nhidden = true\n"
        users = self.users(f"[moshez]\nplan = '''\n{plan}'''\n[b]\nplan='''\n[b]'''".encode())
        self.assertEqual(users, {"moshez": User("moshez", plan=plan), "b": User("b", plan="[b]")})
        # However many tables come behind it.
        many = "".join(f"[u{n}]\n" for n in range(1000))
        users, _ = read(f"[moshez]\nplan = '''\n[b]\n[c]'''\n{many}".encode(), 500)
        self.assertEqual(len(users), 1001)

    def test_notTOML(self) -> None:
        """A file that isn't TOML is refused with the line, wherever in the file that is."""
        for users in (0, 1, 5000):
            before = b"".join(b"[u%d]\nname = 'x'\n\n" % n for n in range(users))
            line = 3 * users + 2
            for table, reason in {
                b"[a]\nstatus x\n[b]\n": f"at line {line}, column 8",
                b"[a]\nname = \x07\n[b]\n": f"at line {line}, column 8",
                b"[a]\nname = 'caf\xe9'\n[b]\n": f"not UTF-8 (at line {line})",
                b"[a]\nname = 'x'\nname = 'y'\n\n": f"Cannot overwrite a value (at line {line + 1}",
                b"[a]\nplan = '''x": f"in what begins at line {line - 1}",
            }.items():
                self.assertIn(reason, self.wrong(before + table))

    def test_twice(self) -> None:
        """Nobody is there twice, be it as somebody hidden: TOML forbids that."""
        between = b"".join(b"[u%d]\n" % n for n in range(2000))
        for one in (b"[a]\n", b"[a]\nhidden = true\n", b"[a]\nfoo = 1\n"):
            for other in (b"[a]\n", b"[ 'a' ] # again\nhidden = true\n"):
                for data in (one + other, one + between + other):
                    self.assertIn("'a'", self.wrong(data))

    def test_deep(self) -> None:
        """Arrays within arrays a thousand times are refused in words."""
        self.assertIn("nested too deeply", self.wrong(b"[a]\nname = " + b"[" * 2000))

    def test_userSize(self) -> None:
        """A user of whom more is said than fits is skipped."""
        for length, there in ((992, True), (993, True), (994, False)):
            users, reasons = read(b"[a]\nplan = '%s'\n[b]" % (b"x" * length), 1000)
            self.assertEqual("a" in users, there)
            self.assertEqual(reasons, [] if there else ["user 'a': more than 1000 bytes"])
            self.assertIn("b", users)

    def test_tooLong(self) -> None:
        """A table that is much too long is refused with its line, and isn't read to its end."""
        endless = b"[b]\n[a]\nplan = '''\n" + b"x\n" * 100_000
        wrong = self.wrong(endless, 1000)
        self.assertEqual(wrong, "what begins at line 2 is longer than 2000 bytes")
        self.assertIn("longer than 2000 bytes", self.wrong(b"#" * 10_000, 1000))
        # Where the mistake that makes it so long is known, it is said.
        unquoted = b'[b]\n[a]\nname = "x\n' + b"[c]\n" * 1000
        self.assertIn("at line 3, column 10", self.wrong(unquoted, 1000))

    @given(
        st.dictionaries(_LOGIN, _USER, max_size=8),
        st.integers(min_value=1, max_value=200),
    )
    def test_whatIsWrittenIsRead(self, users: dict[str, dict[str, str]], sip: int) -> None:
        """Whatever users are written to a file, these are read from it, in pieces of any size."""
        expected = {login: known(login, texts) for login, texts in users.items()}
        found, reasons = read(rendered(users), sip=sip)
        self.assertEqual((found, reasons), (expected, []))

    @given(
        st.one_of(
            st.binary(max_size=300),
            st.lists(st.sampled_from(_WORDS)).map(lambda words: "".join(words).encode()),
        ),
        st.integers(min_value=1, max_value=50),
    )
    def test_anyBytes(self, data: bytes, sip: int) -> None:
        """Any bytes are read or refused, and it doesn't matter in what pieces."""

        def outcome(sip: int) -> object:
            try:
                return read(data, sip=sip)
            except Malformed as error:
                self.assertTrue(str(error).isprintable())
                return str(error)

        self.assertEqual(outcome(sip), outcome(1000))

    @given(st.lists(st.sampled_from(_WORDS)).map("".join))
    def test_sameAsTheWhole(self, text: str) -> None:
        """Table by table a file means what it means as a whole; what isn't TOML never counts."""
        try:
            whole = tomllib.loads(text.removeprefix("\ufeff"))
        except ValueError:
            self.assertRaises(Malformed, read, text.encode())
            return
        try:
            users, _ = read(text.encode())
        except Malformed as error:
            # A table that goes on behind another one is TOML too.
            self.assertIn("is there twice", str(error))
            return
        expected = {
            login: known(login, {key: text for key, text in table.items() if key != "hidden"})
            for login, table in whole.items()
            if isinstance(table, dict)
            and all(isinstance(text, str) and key in FIELDS for key, text in table.items())
        }
        # Whatever else may be wrong with a user, nobody else is served.
        for login, user in users.items():
            self.assertEqual(user, expected[login])
