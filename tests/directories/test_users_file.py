"""The users file: its format, and how it is read again."""

from __future__ import annotations

import os
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.users_file import UsersFile, UsersReader
from fingerd.directories.watched import looks
from fingerd.directories.watched.table import Table
from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User, isLogin
from tests.support.daemon import ROOT
from tests.support.ports import NoThreads, TurnClock, cut, temporaryFolder

EXAMPLE = ROOT / "etc" / "users.example"


def read(*pieces: bytes) -> tuple[dict[str, str], list[str]]:
    """The statuses in a users file that comes in pieces, and what is said of its lines."""
    table = Table(listed=1000)
    reader = UsersReader(table, longest=1000)
    for piece in pieces:
        reader.feed(piece)
    reader.end()
    return dict(table.first(1000)), reader.reasons


_STATUS_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), max_size=20)


class FormatTests(SynchronousTestCase):
    """What a users file can say."""

    def users(self, data: bytes) -> dict[str, str]:
        """The users of a file in which nothing is wrong."""
        users, reasons = read(data)
        self.assertEqual(reasons, [])
        return users

    def test_usersAndStatuses(self) -> None:
        """A line is a user, a colon and a status, which may have colons."""
        users = self.users(b"moshez:Happy and well\nradix:12:30: lunch\n")
        self.assertEqual(users, {"moshez": "Happy and well", "radix": "12:30: lunch"})

    def test_whiteSpace(self) -> None:
        """White space around user and status doesn't count."""
        self.assertEqual(self.users(b"moshez : Happy \t\n"), {"moshez": "Happy"})

    def test_nothings(self) -> None:
        """Comments and blank lines are nothing."""
        self.assertEqual(self.users(b"# moshez:no\n\n  \t\nmoshez:yes\n#\n"), {"moshez": "yes"})

    def test_severalLines(self) -> None:
        """Lines that begin with white space go on with the status above."""
        users = self.users(b"moshez:Happy\n  and\n\twell\n# not this\n  indeed\nradix:\n x\n")
        self.assertEqual(users, {"moshez": "Happy\nand\nwell\nindeed", "radix": "\nx"})

    def test_lineEnds(self) -> None:
        """CR LF files are read, and files whose last line doesn't end."""
        self.assertEqual(self.users(b"a:1\r\n b\r\nc:2"), {"a": "1\nb", "c": "2"})
        self.assertEqual(self.users(b"a:1\n b"), {"a": "1\nb"})

    def test_byteOrderMark(self) -> None:
        """A byte-order mark at the start is no part of the first user."""
        self.assertEqual(self.users(b"\xef\xbb\xbfmoshez:Happy\n"), {"moshez": "Happy"})

    def test_laterLineWins(self) -> None:
        """Of two lines for one user the later one counts, with the lines that continue it."""
        self.assertEqual(self.users(b"a:1\n x\nb:2\na:3\n y\n"), {"a": "3\ny", "b": "2"})

    def test_utf8(self) -> None:
        """Users and statuses can have any letters."""
        self.assertEqual(self.users("josé:☕\n".encode()), {"josé": "☕"})

    def test_empty(self) -> None:
        """An empty file has no users."""
        self.assertEqual(self.users(b""), {})

    def test_malformed(self) -> None:
        """A malformed line is skipped, with its number and with what continues it."""
        users, reasons = read(
            b" x\na:1\nno colon\n skipped too\nb:2\n:nobody\n-l:option\nc d:x\ncaf\xe9:x\ne:5\n"
        )
        self.assertEqual(users, {"a": "1", "b": "2", "e": "5"})
        self.assertEqual(
            reasons,
            [
                "line 1: continues nothing",
                "line 3: no colon after the user",
                "line 6: no user can be called that",
                "line 7: no user can be called that",
                "line 8: no user can be called that",
                "line 9: not UTF-8",
            ],
        )

    def test_malformedContinuation(self) -> None:
        """A continuation that can't be read is left out of its status."""
        users, reasons = read(b"a:1\n caf\xe9\n 2\n")
        self.assertEqual(users, {"a": "1\n2"})
        self.assertEqual(reasons, ["line 2: not UTF-8"])

    def test_longLine(self) -> None:
        """A line that is too long is skipped, whatever it is cut into."""
        data = b"a:" + b"x" * 998 + b"\nb:" + b"x" * 999 + b"\n c\nd:4"
        for pieces in ([data], [data[:900], data[900:1900], data[1900:]]):
            users, reasons = read(*pieces)
            self.assertEqual(users, {"a": "x" * 998, "d": "4"})
            self.assertEqual(reasons, ["line 2: longer than 1000 bytes"])

    def test_longStatus(self) -> None:
        """What makes a status longer than a line may be is left out of it."""
        users, reasons = read(b"a:" + b"x" * 600 + b"\n " + b"y" * 600 + b"\n z\nb:2\n")
        self.assertEqual(users, {"a": "x" * 600, "b": "2"})
        self.assertEqual(len(reasons), 2)

    def test_continuedNobody(self) -> None:
        """What continues a skipped line belongs to nobody, not to the user before."""
        for skipped in (b"b\xff:two", b"no colon", b"c d:x", b"e:" + b"x" * 1000):
            users, _ = read(b"a:one\n" + skipped + b"\n  three\nf:six\n")
            self.assertEqual(users, {"a": "one", "f": "six"}, skipped)

    def test_example(self) -> None:
        """The example shows every form, and nothing is wrong in it."""
        data = EXAMPLE.read_bytes()
        users = self.users(data)
        self.assertEqual(users["moshez"], "Happy and very well")
        self.assertIn("\n", users["radix"])
        self.assertEqual(users["itamar"], "")
        self.assertIn(":", users["acapnotic"])
        self.assertIn("josé", users)
        self.assertIn(b"#", data)

    @given(st.binary(max_size=300), st.lists(st.integers(min_value=0), max_size=5))
    def test_anyPieces(self, data: bytes, places: list[int]) -> None:
        """Any bytes can be read, and mean the same in any pieces."""
        self.assertEqual(read(*cut(data, places)), read(data))

    @given(
        st.dictionaries(
            st.text(min_size=1, max_size=10).filter(
                lambda text: isLogin(text) and ":" not in text and text[0] not in "#\ufeff"
            ),
            st.lists(_STATUS_LINE, min_size=1, max_size=4),
        )
    )
    def test_whatIsWrittenIsRead(self, statuses: dict[str, list[str]]) -> None:
        """Whatever statuses are written to a file, these are read from it."""
        # A blank line is nothing, also within a status.
        lines = {login: [text[0], *filter(None, text[1:])] for login, text in statuses.items()}
        data = "".join(f"{login}:" + "\n ".join(text) + "\n" for login, text in lines.items())
        expected = {login: "\n".join(text) for login, text in lines.items()}
        self.assertEqual(self.users(data.encode()), expected)


class UsersFileTests(SynchronousTestCase):
    """Reading the file, and reading it again."""

    def setUp(self) -> None:
        self.patch(looks, "Threads", NoThreads)
        self.path = temporaryFolder(self) / "users"
        self.clock = TurnClock()
        # Far from the time of any file: none is still being written.
        self.now = 0.0
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def started(self, limits: Limits = DEFAULTS) -> UsersFile:
        """The directory, as a running daemon has it."""
        users = UsersFile(str(self.path), self.clock, limits, now=lambda: self.now)
        users.startService()
        self.addCleanup(users.stopService)
        return users

    def reload(self, users: UsersFile) -> None:
        """Look for changes, and let the reading go on until it is done."""
        done = users.reload()
        while not done.called:
            self.clock.turn()
        self.successResultOf(done)

    def status(self, users: UsersFile, login: str = "moshez") -> str | None:
        """The status of a user, or None."""
        user = self.successResultOf(users.getUser(login))
        return None if user is None else user.status

    def warnings(self) -> list[str]:
        """What has been warned of since it was asked last."""
        said = [formatEvent(event) for event in self.events if event["log_level"] >= LogLevel.warn]
        self.events.clear()
        return said

    def test_users(self) -> None:
        """It has the users of its file, in the order of the file."""
        self.path.write_bytes(b"radix:Writing\nmoshez:Happy\n")
        users = self.started()
        self.assertEqual(
            self.successResultOf(users.getUsers(10)),
            [User("radix", status="Writing"), User("moshez", status="Happy")],
        )
        self.assertEqual(len(self.successResultOf(users.getUsers(1))), 1)
        self.assertEqual(self.status(users), "Happy")
        self.assertIsNone(self.status(users, "nobody"))
        self.assertEqual(len(users), 2)
        self.assertEqual(self.warnings(), [])

    def test_change(self) -> None:
        """A change is taken over, also when the file is replaced by another."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.started()
        self.path.write_bytes(b"moshez:Busy\nradix:Writing\n")
        self.reload(users)
        self.assertEqual(self.status(users), "Busy")
        self.assertEqual(len(users), 2)
        other = self.path.with_name("other")
        other.write_bytes(b"radix:Writing\n")
        other.rename(self.path)
        self.reload(users)
        self.assertIsNone(self.status(users))
        self.assertEqual(self.warnings(), [])

    def test_unchanged(self) -> None:
        """A file that hasn't changed isn't opened: looking costs a stat."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.started()
        opened: list[object] = []
        original = os.open

        def opening(*args: object, **kwargs: object) -> int:
            opened.append(args)
            return original(*args, **kwargs)  # type: ignore[arg-type]

        self.patch(os, "open", opening)
        for _ in range(3):
            self.reload(users)
        self.assertEqual(opened, [])
        self.path.write_bytes(b"moshez:Busy\n")
        self.reload(users)
        self.assertEqual(len(opened), 1)

    def test_missing(self) -> None:
        """A file that is gone keeps its users; it is said once, and the looking goes on."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.started()
        self.path.unlink()
        for _ in range(3):
            self.reload(users)
            self.assertEqual(self.status(users), "Happy")
        self.assertEqual(
            self.warnings(),
            [
                f"{self.path.absolute()} can't be read (No such file or directory): "
                "the users read before (1) stay"
            ],
        )
        self.path.write_bytes(b"moshez:Back\n")
        self.reload(users)
        self.assertEqual(self.status(users), "Back")
        self.path.unlink()
        self.reload(users)
        self.assertEqual(len(self.warnings()), 1)

    def test_notAFile(self) -> None:
        """A directory, a FIFO or a device in its place keeps the users and stops nothing."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.started()
        self.path.unlink()
        os.mkfifo(self.path)
        self.reload(users)
        self.path.unlink()
        self.path.mkdir()
        self.reload(users)
        self.path.rmdir()
        self.path.symlink_to("/dev/zero")
        self.reload(users)
        self.assertEqual(self.status(users), "Happy")
        self.assertIn("can't be read (not a regular file)", self.warnings()[0])

    def test_stillBeingWritten(self) -> None:
        """A file that changed a moment ago may be half-written: it is read when it is quiet."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.started()
        self.path.write_bytes(b"moshez:Bu")
        self.now = self.path.stat().st_mtime + 0.4
        self.reload(users)
        self.reload(users)
        self.assertEqual(self.status(users), "Happy")
        self.path.write_bytes(b"moshez:Busy\n")
        self.now = self.path.stat().st_mtime + 1.1
        self.clock.pump([0.7, 0.001, 0.001, 0.001])
        self.assertEqual(self.status(users), "Busy")

    def test_writtenWhileItIsRead(self) -> None:
        """What was read of a file that changes at the same time isn't taken over."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.started(Limits(reloadSlice=0.0))
        self.path.write_bytes(b"moshez:Half\n" + b"#\n" * 100_000)
        done = users.reload()
        self.clock.turn()
        self.path.write_bytes(b"moshez:Half\n" + b"#\n" * 100_001)
        while not done.called:
            self.clock.turn()
        self.assertEqual(self.status(users), "Happy")
        self.assertIn("it is being written", self.warnings()[0])
        self.reload(users)
        self.assertEqual(self.status(users), "Half")

    def test_slices(self) -> None:
        """A large file is read in many turns of the reactor, and swapped in one."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.started(Limits(reloadSlice=0.0))
        self.path.write_bytes(b"moshez:Busy\n" + b"#\n" * 500_000)
        done = users.reload()
        turns = 0
        while self.status(users) == "Happy":
            self.assertFalse(done.called)
            self.clock.turn()
            turns += 1
        self.assertGreater(turns, 10)
        while not done.called:
            self.clock.turn()

    def test_askedAgainMeanwhile(self) -> None:
        """A reload that is asked for while one goes on looks again when that one is done."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = self.started(Limits(reloadSlice=0.0))
        self.path.write_bytes(b"moshez:Busy\n" + b"#\n" * 100_000)
        done = users.reload()
        while self.status(users) != "Busy":
            self.clock.turn()
        # What is left to do now is to let the old users go.
        self.assertFalse(done.called)
        self.path.write_bytes(b"moshez:Busier\n")
        again = users.reload()
        while not again.called:
            self.clock.turn()
        self.assertEqual(self.status(users), "Busier")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_malformed(self) -> None:
        """A malformed line is said once with its number, the rest is served."""
        self.path.write_bytes(b"moshez:Happy\nnonsense\n")
        users = self.started()
        for _ in range(3):
            self.reload(users)
        self.assertEqual(
            self.warnings(),
            [f"{self.path.absolute()}, line 2: no colon after the user: skipped"],
        )
        self.assertEqual(self.status(users), "Happy")

    def test_manyMalformed(self) -> None:
        """A thousand malformed lines don't fill the log."""
        self.path.write_bytes(b"nonsense\n" * 1000)
        self.started()
        said = self.warnings()
        self.assertEqual(len(said), 11)
        self.assertEqual(said[-1], f"{self.path.absolute()}: 1000 lines skipped")

    def test_unreadableAtTheStart(self) -> None:
        """A daemon whose file can't be read doesn't start, and says why in one line."""
        path = self.path.absolute()
        for reason in ("No such file or directory", "not a regular file"):
            error = self.assertRaises(CannotStart, self.started)
            self.assertEqual(str(error), f"can't read the users file {path}: {reason}")
            self.path.mkdir(exist_ok=True)

    def test_stopWhileReading(self) -> None:
        """A daemon that stops doesn't wait for the file, and leaves no timer behind."""
        self.path.write_bytes(b"moshez:Happy\n")
        users = UsersFile(str(self.path), self.clock, Limits(reloadSlice=0.0), now=lambda: self.now)
        users.startService()
        self.path.write_bytes(b"moshez:Busy\n" + b"#\n" * 500_000)
        done = users.reload()
        self.clock.turn()
        users.stopService()
        self.successResultOf(done)
        self.now = self.path.stat().st_mtime
        users = UsersFile(str(self.path), self.clock, now=lambda: self.now)
        users.startService()
        self.path.write_bytes(b"moshez:Busy\n")
        users.reload()
        users.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.warnings(), [])
