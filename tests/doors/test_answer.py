"""What is sent back: from users to bytes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.plain import answer
from fingerd.doors.plain.answer import ofSeveral
from fingerd.doors.plain.encoding import encode
from fingerd.model import texts
from fingerd.model.fields import ALL, ALWAYS, Field, Fields, Views, parseViews
from fingerd.model.listing import Listing, PreparedUsers
from fingerd.model.reply import Reply
from fingerd.model.user import User
from fingerd.service.shown import Shown
from fingerd.text.cleaning import clean
from fingerd.text.replacing import NOTHING, Replacements, parseReplacements
from fingerd.text.width import displayWidth

TEXTS = st.one_of(
    st.text(max_size=50),
    st.text(
        alphabet="ab \t\r\n\u2028\x00\x1b\x7f\x9b\u202e\u200b\xadé山\u0301❤\ufe0f👍🏽\ud800",
        max_size=50,
    ),
)
USERS = st.builds(
    User,
    # A login has something to see in it.
    TEXTS.map("u{}".format),
    name=TEXTS,
    status=TEXTS,
    statusSet=st.none() | st.floats(),
    office=TEXTS,
    officePhone=TEXTS,
    homePhone=TEXTS,
    project=TEXTS,
    plan=TEXTS,
    publicKey=TEXTS,
    report=st.just("") | TEXTS,
)
FIELDS = st.frozensets(st.sampled_from(Field)).map(ALWAYS.union)
REPLACEMENTS = parseReplacements(["a=山山", "b=", "é=a"])


VIEWS = Views()
SIZE = 256 * 1024


def ofUser(user: User, fields: Fields = VIEWS.user, now: float | None = -1.0) -> str:
    """The answer for a user of whom this is known: all that the service lets be seen of them."""
    return answer.ofUser(Shown(NOTHING, SIZE).user(user, fields), fields, now)


def reply(
    users: Sequence[User] | Listing, fields: Fields, replacements: Replacements, verbose: bool
) -> Reply:
    """The reply with a list."""
    listing = users if isinstance(users, Listing) else Listing(users)
    shown = Shown(replacements, SIZE)
    show = shown.listedInFull if verbose else shown.listed
    return Reply(
        "list",
        shown.words(texts.NO_SUCH_USER),
        PreparedUsers(listing.users, lambda user: show(user, fields)),
        fields=fields,
        verbose=verbose,
        failures=[(shown.words(name), shown.words(words)) for name, words in listing.failures],
    )


def ofUsers(
    users: Sequence[User] | Listing,
    fields: Fields = VIEWS.list,
    replacements: Replacements = NOTHING,
    size: int = SIZE,
) -> str:
    """The list."""
    return answer.of(reply(users, fields, replacements, False), size)


def ofUsersInFull(
    users: Sequence[User] | Listing,
    fields: Fields = VIEWS.verbose,
    now: float | None = None,
    replacements: Replacements = NOTHING,
    size: int = SIZE,
) -> str:
    """The list as C{/W} asks for it."""
    return answer.of(reply(users, fields, replacements, True), size, now)


class TextsTests(SynchronousTestCase):
    """The texts that people, scanners and tests know."""

    def test_fixed(self) -> None:
        """They are RFC 1288's and the talk's, to the letter."""
        self.assertEqual(texts.NO_SUCH_USER, "No such user")
        self.assertEqual(texts.INTERNAL_ERROR, "Internal error in server")
        self.assertEqual(texts.FORWARDING_DENIED, "Finger forwarding service denied")
        self.assertEqual(texts.LIST_DENIED, "Finger online user list denied")

    def test_internalError(self) -> None:
        """An error is told with what it is called in the log, and with nothing else."""
        self.assertEqual(texts.internalError("1f2e"), "Internal error in server\nReference: 1f2e")


class OfUserTests(SynchronousTestCase):
    """The answer for one user."""

    def test_bareStatus(self) -> None:
        """As in the talk: of a user with a status only, the status is the answer."""
        self.assertEqual(
            ofUser(User("moshez", status="Happy and well", statusSet=1.0)), "Happy and well"
        )
        self.assertEqual(
            ofUser(User("radix", status="Writing\n  a server\n")), "Writing\n  a server"
        )

    def test_noStatus(self) -> None:
        """A user with nothing to say is there all the same."""
        for status in ("", " \n", "\x1b\u200b"):
            self.assertEqual(ofUser(User("itamar", status=status)), "No status.")

    def test_form(self) -> None:
        """Where more is known it has finger(1)'s form, with the age of the status."""
        user = User("moshez", name="Moshe Zadka", status="Happy", statusSet=1000.0, plan="Sleep")
        self.assertEqual(
            ofUser(user, now=1000.0 + 3 * 3600),
            "Login: moshez                           Name: Moshe Zadka\n"
            "Status (3 hours ago): Happy\n"
            "Plan:\n"
            "Sleep",
        )
        self.assertIn("\nStatus: Happy\n", ofUser(user))

    def test_view(self) -> None:
        """What the view doesn't have isn't told, and without it a status may be all there is."""
        user = User("moshez", status="Happy", homePhone="555", publicKey="KEY")
        self.assertEqual(ofUser(user), "Happy")
        views = parseViews()
        self.assertIn("Public key:\nKEY", ofUser(user, views.ofOne(verbose=True)))
        self.assertIn("Home Phone: 555", ofUser(user, ALL))
        self.assertEqual(ofUser(user, ALWAYS), "Login: moshez")

    def test_report(self) -> None:
        """A source's finished text is told as it is, but harmless, and nothing else is."""
        user = User("moshez", name="Moshe", report="  On since\x1b[2J Monday\r\n\r\nNo Plan.\r\n")
        self.assertEqual(ofUser(user), "  On since[2J Monday\n\nNo Plan.")

    def test_emptyReport(self) -> None:
        """A report of nothing doesn't hide what else is known."""
        self.assertEqual(ofUser(User("moshez", status="Happy", report="\r\n\x1b")), "Happy")

    @given(USERS, FIELDS, st.none() | st.floats())
    def test_anyUser(self, user: User, fields: frozenset[Field], now: float | None) -> None:
        """Whatever is in a user, the answer drives no terminal and isn't empty."""
        text = ofUser(user, fields, now)
        self.assertEqual(harm(text), [])
        self.assertTrue(text.strip() or not user.login.strip())


class OfUsersTests(SynchronousTestCase):
    """The list."""

    def test_statuses(self) -> None:
        """As in the talk: users and the first lines of their statuses, one below the other."""
        self.assertEqual(
            ofUsers(
                [User("moshez", status="Happy\nand well"), User("jp"), User("radix", status="\n x")]
            ),
            "moshez  Happy\njp\nradix   x",
        )

    def test_names(self) -> None:
        """Where names are known there is a heading, as in finger(1)."""
        users = [User("moshez", name="Moshe Zadka", status="Happy"), User("jp", status="Out")]
        self.assertEqual(
            ofUsers(users),
            "Login   Name         Status\nmoshez  Moshe Zadka  Happy\njp                   Out",
        )

    def test_fields(self) -> None:
        """The administrator's fields are its columns, as far as anyone has any."""
        user = User("moshez", name="M", status="Happy", office="R5", officePhone="555")
        fields = parseViews(list="office,office-phone,plan").list
        self.assertEqual(
            ofUsers([user], fields), "Login   Name  Office  Office Phone\nmoshez  M     R5      555"
        )

    def test_nobody(self) -> None:
        """A list of nobody says so."""
        nobody: list[list[User] | Listing] = [[], Listing()]
        for users in nobody:
            self.assertEqual(ofUsers(users), "No such user")
            self.assertEqual(ofUsersInFull(users), "No such user")

    def test_oneLineEach(self) -> None:
        """No user can have a second line, or one of someone else's."""
        text = ofUsers(
            [User("a\nb", name="c\r\nd", status="e\u2028f"), User("g", status="\x1b[2Jh")]
        )
        self.assertEqual(text, "Login  Name  Status\na      c     e\ng            [2Jh")

    def test_longStatuses(self) -> None:
        """A status of any length costs what a line of it costs, and says that it goes on."""
        text = ofUsers([User("moshez", status=" " * 1000 + "x" * 60_000)] * 3)
        self.assertEqual(text.split("\n")[0], "moshez  " + "x" * 71 + "…")

    def test_combining(self) -> None:
        """A text that begins with an accent doesn't put it on what stands before it."""
        self.assertEqual(ofUsers([User("moshez", status="\u0301x")]), "moshez  \u25cc\u0301x")

    def test_reports(self) -> None:
        """A source that has only finished text is told below the table, under its name."""
        listing = Listing(
            [
                User("upstream.example.com", report="Login  Name\r\nroot   root\x07\r\n"),
                User("moshez", status="Happy"),
            ]
        )
        self.assertEqual(
            ofUsers(listing), "moshez  Happy\n\n[upstream.example.com]\nLogin  Name\nroot   root"
        )
        # Of a user with nothing but a status there is no more to tell in full.
        self.assertEqual(ofUsersInFull(listing), ofUsers(listing))

    def test_failures(self) -> None:
        """A source that fails hides none of the others' users, and isn't taken for empty."""
        failures = [("staff\x1b", texts.internalError("1f2e"))]
        said = "[staff]\nInternal error in server\nReference: 1f2e"
        listing = Listing([User("moshez", status="Happy")], failures)
        self.assertEqual(ofUsers(listing), f"moshez  Happy\n\n{said}")
        self.assertEqual(ofUsers(Listing(failures=failures)), said)
        self.assertEqual(ofUsersInFull(Listing(failures=failures)), said)

    def test_inFull(self) -> None:
        """With /W each user is told in finger(1)'s form, also where only a status is known."""
        users = [
            User("moshez", name="Moshe", plan="Sleep"),
            User("jp", status="Out", statusSet=0.0),
        ]
        self.assertEqual(
            ofUsersInFull(users, now=120.0),
            "Login: moshez                           Name: Moshe\nPlan:\nSleep\n\n"
            "Login: jp\nStatus (2 minutes ago): Out\nNo Plan.",
        )

    def test_bounded(self) -> None:
        """No more of a list is put together than an answer has room for, and it says so."""
        users = [User(f"user{number}", status="☕" * 30, plan="x") for number in range(1000)]
        users += [User("upstream", report="x" * 1000)]
        for text in (ofUsers(users, size=10_000), ofUsersInFull(users, size=10_000)):
            self.assertGreater(len(text.encode()), 10_000)
            self.assertLess(len(text.encode()), 10_300)
            self.assertIn(b"(cut: an answer has", encode(text, 10_000))

    def test_replaced(self) -> None:
        """A word is replaced before it is cut, so that not even half of it is told."""
        replacements = parseReplacements(["Microsoft=It"])
        users = [
            User("moshez", status="x" * 65 + "Microsoft"),
            User("corp", report="Microsoft"),
            User("Microsoft"),
        ]
        listing = Listing(users, [("Microsoft", "Microsoft failed")])
        table = "moshez  " + "x" * 65 + "It\nIt"
        self.assertEqual(
            ofUsers(listing, replacements=replacements), f"{table}\n\n[corp]\nIt\n\n[It]\nIt failed"
        )
        self.assertNotIn("Micro", ofUsersInFull(listing, replacements=replacements))
        nobody = parseReplacements(["No such user=Nobody here"])
        self.assertEqual(ofUsers([], replacements=nobody), "Nobody here")
        self.assertEqual(ofUsersInFull([], replacements=nobody), "Nobody here")

    @given(st.lists(USERS), st.lists(st.tuples(TEXTS, st.just("Internal error"))), FIELDS)
    def test_anyUsers(
        self, users: list[User], failures: list[tuple[str, str]], fields: frozenset[Field]
    ) -> None:
        """Whatever is in the users, a list drives no terminal and is as wide as one at most."""
        listing = Listing(users, failures)
        for replacements in (parseReplacements([]), REPLACEMENTS):
            text = ofUsers(listing, fields, replacements)
            self.assertEqual(harm(text), [])
            self.assertEqual(harm(ofUsersInFull(listing, fields, 1.0, replacements)), [])
            tabled = [user for user in users if not user.report]
            table = text.split("\n\n")[0].split("\n") if tabled else []
            self.assertEqual([line for line in table if displayWidth(line) > 80], [])
            self.assertEqual(table[len(tabled) + 1 :], [])


class OfSeveralTests(SynchronousTestCase):
    """Several names in one query."""

    def test_names(self) -> None:
        """Each answer is under the name it belongs to."""
        self.assertEqual(
            ofSeveral([("moshez", "Happy"), ("evil\x1b\n", "No such user")], 0),
            "[moshez]\nHappy\n\n[evil ]\nNo such user",
        )

    def test_refused(self) -> None:
        """Names beyond the limit are refused in words."""
        self.assertEqual(
            ofSeveral([("a", "b")], 3), "[a]\nb\n\nToo many names in one query: 3 not answered"
        )


class EncodeTests(SynchronousTestCase):
    """The bytes."""

    def test_lineEnds(self) -> None:
        """Lines end in CR LF, the last one too (RFC 1288 2.2): Lynx loses it otherwise."""
        self.assertEqual(encode("a\nb", 1000), b"a\r\nb\r\n")

    def test_utf8(self) -> None:
        """Letters of every script stay whole."""
        self.assertEqual(encode("☕ josé 山", 1000), "☕ josé 山\r\n".encode())

    def test_size(self) -> None:
        """An answer of just the size is whole; a byte more, and it is cut at a line and says so."""
        text = "\n".join(["x" * 18] * 10)
        self.assertEqual(encode(text, 200), (text + "\n").replace("\n", "\r\n").encode())
        self.assertEqual(
            encode(text, 199),
            b"xxxxxxxxxxxxxxxxxx\r\n" * 7 + b"(cut: an answer has 199 bytes at most)\r\n",
        )

    def test_oneLongLine(self) -> None:
        """A line that is longer than that by itself is cut between two characters."""
        data = encode("é" * 1000, 100)
        self.assertRegex(data.decode(), r"^é+\r\n\(cut: an answer has 100 bytes at most\)\r\n$")
        self.assertGreater(len(data), 95)

    def test_tinySize(self) -> None:
        """However little room there is, what is cut says so."""
        self.assertEqual(encode("x" * 100, 20), b"(cut: an answer has 20 bytes at most)\r\n")

    def test_cutInALineEnd(self) -> None:
        """Where the cut falls between a CR and its LF, no CR is left alone."""
        for length in range(40, 70):
            self.checkBytes(encode("x" * length + "\n" + "y" * 100, 100), 100)

    def test_replacedTooLong(self) -> None:
        """An answer that replacements made too long says that it was cut."""
        text = parseReplacements(["a=xyz"])("a" * 100, 200)
        self.assertIn(b"(cut: an answer has 200 bytes at most)", encode(text, 200))

    @given(USERS, st.integers(64, 400))
    def test_anyUser(self, user: User, size: int) -> None:
        """Any answer is UTF-8 of the size at most, with CR and LF only at its lines' ends."""
        self.checkBytes(encode(ofUser(user, ALL, 1.0), size), size)

    @given(st.lists(USERS, max_size=5), st.integers(64, 4000))
    def test_anyList(self, users: list[User], size: int) -> None:
        """The same is true of lists."""
        for text in (
            ofUsers(users, ALL),
            ofUsersInFull(users, ALL, 1.0, REPLACEMENTS, size),
            ofSeveral([(user.login, ofUser(user)) for user in users], 1),
        ):
            self.checkBytes(encode(text, size), size)

    @given(st.text(), st.integers(0, 200), st.integers(0, 400))
    def test_anyText(self, text: str, more: int, size: int) -> None:
        """Any clean text is sent whole, or it is cut and says so within the size."""
        text = clean(text) + "x" * more
        data = encode(text, size)
        note = f"(cut: an answer has {size} bytes at most)\r\n".encode()
        self.checkBytes(data, max(size, len(note)))
        whole = (text + "\n").replace("\n", "\r\n").encode()
        if len(whole) <= size:
            self.assertEqual(data, whole)
        else:
            self.assertTrue(data.endswith(note))
            kept = data.removesuffix(note).removesuffix(b"\r\n")
            self.assertTrue(whole.startswith(kept))

    def checkBytes(self, data: bytes, size: int) -> None:
        """What goes over the wire is as RFC 1288 2.2 has it, and as bounded as we promise."""
        self.assertLessEqual(len(data), size)
        self.assertTrue(data.endswith(b"\r\n"))
        self.assertEqual(harm(data.decode("utf-8").replace("\r\n", "\n")), [])
        self.assertIsNone(re.search(rb"(?<!\r)\n|\r(?!\n)", data))


def harm(text: str) -> list[str]:
    """The characters of an answer that could do something to a terminal."""
    harmful = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [c for c in text if unicodedata.category(c) in harmful and c not in "\t\n"]
