"""
The inputs that L{tests.fuzz} has found, tried again: a part of the daemon for each, and bytes that
take it down each of its ways.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.watched.reader import LineReader
from fingerd.doors.net.telnet import Telnet
from fingerd.doors.ssh import ssh_session, ssh_transport
from fingerd.doors.ssh.ssh_commands import Wanted
from fingerd.model import masking
from fingerd.model.masking import Mask
from fingerd.model.policy import SetPolicy
from fingerd.service import replies
from fingerd.service.users import Users
from tests.fuzz import reading
from tests.fuzz.checks import answerIsWellFormed, read, written
from tests.fuzz.targets import CORPUS, TARGETS

QUERY = TARGETS["query"]()
SETTER = TARGETS["setter"]()
SSH = TARGETS["ssh"]()
COMMANDS = TARGETS["commands"]()
UPSTREAM = TARGETS["upstream"]()


class CorpusTests(SynchronousTestCase):
    """What was found once stays right."""

    def check(self, name: str) -> None:
        target = TARGETS[name]()
        inputs = sorted((CORPUS / name).iterdir())
        self.assertGreater(len(inputs), 10)
        for path in inputs:
            try:
                target(path.read_bytes())
            except Exception as error:
                raise AssertionError(f"{name}/{path.name}: {error}") from error

    def test_query(self) -> None:
        """Whatever a client sends to the finger port, it gets an answer that is one."""
        self.check("query")

    def test_setter(self) -> None:
        """Whatever a client sends to the setter, it sets no status but its own."""
        self.check("setter")

    def test_ssh(self) -> None:
        """Whatever a client sends to the ssh port, what is no SSH is closed at once."""
        self.check("ssh")

    def test_commands(self) -> None:
        """Whatever command a user says by SSH, it sets what is theirs, or nothing and says why."""
        self.check("commands")

    def test_upstream(self) -> None:
        """Whatever another server answers, what goes to a client is harmless and masked."""
        self.check("upstream")

    def test_users(self) -> None:
        """Whatever is in a users file, it is read."""
        self.check("users")

    def test_passwd(self) -> None:
        """Whatever is in a file of accounts, it is read."""
        self.check("passwd")

    def test_toml(self) -> None:
        """Whatever is in a TOML file, it is read or refused in words."""
        self.check("toml")

    def test_all(self) -> None:
        """No target is without inputs, and no inputs are left of one that is gone."""
        self.assertEqual({path.name for path in CORPUS.iterdir()}, set(TARGETS))


def _made(*words: bytes) -> st.SearchStrategy[bytes]:
    """Inputs whose bytes are made of these words, and of any others."""
    data = st.lists(st.sampled_from(words) | st.binary(max_size=3), max_size=12).map(b"".join)
    return st.builds(
        lambda flags, places, data: written(data, flags, *places),
        st.integers(0, 255),
        st.lists(st.integers(0, 100), max_size=3),
        data | st.binary(max_size=100),
    )


_TELNET = (b"\r\n", b"\n", b"\r\0", b"\r", b"\xff\xfb\x01", b"\xff\xfa", b"\xff\xf0", b"\xff")
_NAMES = (b"moshez", b"radix", "josé".encode(), b"nobody")
_VERSION = (b"SSH-", b"2.0-", b"1.99-", b"1.5-", b"SSH-2.0-x\r\n")
_COMMAND = (
    *(b"set", b"--for", b"2h", b"-", b"clear", b"plan", b"project", b"hide", b"unhide", b"undo"),
    *(b"erase", b"history", b"public-history", b"show", b"help", b"At lunch", b"scp -t", b"ls"),
)
_SAID = (b"No such user", b"Internal error in server", b"\x1b[2J", b"\xe2\x80\xae")
_REPORT = (b"Login: ", b"radix", b"RADIX", b"ra", b"dix", b"\r", b"\n", b" ", b"\0", b"-", b".")
_TOML = (b"[a]\n", b"\n[b]\n", b"status", b"=", b"'", b"'" * 3, b'"', b"\n", b"hidden=true\n")


class AnyInputTests(SynchronousTestCase):
    """The same for inputs that are made up each time."""

    @given(_made(*_TELNET, *_NAMES, b" ", b",", b"/W", b"@", b"a.example", b"x" * 256))
    def test_query(self, given: bytes) -> None:
        """Any bytes in any segments get one answer, and no masked user is in it."""
        QUERY(given)

    @given(_made(*_TELNET, *_NAMES, b"\n", b" 3\n", b"Busy", b"\\n", b"1h30m", b"\x1b", b"x" * 512))
    def test_setter(self, given: bytes) -> None:
        """Any bytes in any segments set the client's own status, or none and say why."""
        SETTER(given)

    @given(_made(*_VERSION, b"\r\n", b"\n", b"\0\0\0\x0c\x0a\x14", b"x" * 255))
    def test_ssh(self, given: bytes) -> None:
        """Any bytes in any segments are SSH, or are closed and get no answer."""
        SSH(given)

    @given(_made(*_COMMAND, b" ", b"\0", b"\n", b"\x1b[2J", b"x" * 1024))
    def test_commands(self, given: bytes) -> None:
        """Any command, with any standard input in any pieces, sets one's own or says why not."""
        COMMANDS(given)

    @given(_made(*_REPORT, *_SAID))
    def test_upstream(self, given: bytes) -> None:
        """Any bytes of another server become harmless text without the masked, or a failure."""
        UPSTREAM(given)

    @given(_made(b":", b"\n", b"\r\n", b" ", b"\t", b"#", b"\xef\xbb\xbf", *_NAMES, b"x" * 500))
    def test_users(self, given: bytes) -> None:
        """Any users file in any pieces is read."""
        reading.users(given)

    @given(_made(b":", b"\n", b"\r", b",", b"&", *_NAMES, b"a:x:1000:1:", b"65534", b"x" * 500))
    def test_passwd(self, given: bytes) -> None:
        """Any file of accounts in any pieces is read."""
        reading.passwd(given)

    @given(_made(*_TOML))
    def test_toml(self, given: bytes) -> None:
        """Any TOML file in any pieces is read or refused."""
        reading.toml(given)


class TargetTests(SynchronousTestCase):
    """A target notices what it is there to notice."""

    def fails(self, name: str, given: bytes) -> None:
        target = TARGETS[name]()
        self.assertRaises(AssertionError, target, given)

    def test_segments(self) -> None:
        """That segments make a difference."""
        self.patch(Telnet, "receive", lambda self, data: data.replace(b"\r\n", b"\n"))
        self.fails("query", written(b"moshez\r\n", 0, 7))
        self.fails("setter", written(b"moshez\r\nBusy\r\n", 0, 7))

    def test_control(self) -> None:
        """That control characters get through."""
        self.patch(replies, "clean", lambda text: text)
        self.fails("upstream", written(b"Happy\x1b[2J\r\n", 1 << 3))

    def test_masked(self) -> None:
        """That a masked user can be seen, or told from one who isn't there."""
        self.patch(Mask, "hides", lambda self, login: False)
        self.fails("query", written(b"radix\r\n"))
        self.fails("query", written(b"\r\n"))
        self.patch(masking, "clean", lambda text: text)
        self.fails("upstream", written(b"Login: ra\0dix\r\n"))

    def test_another(self) -> None:
        """That someone sets a status which isn't theirs."""
        self.patch(SetPolicy, "refusal", lambda self, by, login: None)
        self.fails("setter", written(b"radix\nBusy\n"))
        TARGETS["setter"]()(written(b"radix\nBusy\n", 1 << 1))

    def test_ssh(self) -> None:
        """That what is no SSH is waited for."""
        self.patch(ssh_transport, "_VERSIONS", (b"GET / ", b"GET / "))
        self.fails("ssh", written(b"GET / HTTP/1.0\r\n"))

    def test_commands(self) -> None:
        """That what somebody wrote gets to a terminal, or that a command does something else."""
        self.patch(ssh_session, "cleanLine", lambda text: text)
        self.fails("commands", written(b"--\x1b[2J"))
        self.patch(ssh_session, "parse", lambda command: Wanted("set", "Busy"))
        self.fails("commands", written(b"show"))

    def test_failure(self) -> None:
        """That something fails which can't."""

        async def broken(self: Users, *asked: object) -> None:
            raise ValueError

        self.patch(Users, "find", broken)
        self.fails("query", written(b"moshez\r\n"))
        self.patch(Users, "known", broken)
        self.fails("setter", written(b"moshez\nBusy\n"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_pieces(self) -> None:
        """That a file in other pieces is another file."""

        def feed(self: LineReader, piece: bytes) -> None:
            for line in piece.split(b"\n"):
                self._line(line)

        self.patch(LineReader, "feed", feed)
        self.fails("users", written(b"moshez:Happy\n", 0, 9))
        self.fails("passwd", written(b"a:x:1000:1:A:/a:\n", 0, 11))

    def test_wellFormed(self) -> None:
        """An answer that may not be sent is noticed."""
        good = b"Happy\r\nand well\r\n"
        self.assertEqual(answerIsWellFormed(good, len(good)), "Happy\nand well\n")
        for bad in (b"", b"x", b"x\n", b"x\n\r\n", b"x\ry\r\n", b"\x1b\r\n", b"\xff\r\n", good * 2):
            self.assertRaises((AssertionError, UnicodeDecodeError), answerIsWellFormed, bad, 20)


class InputTests(SynchronousTestCase):
    """How an input is read."""

    def test_segments(self) -> None:
        """It says where its bytes are cut, if they are, or that each comes alone."""
        self.assertEqual(read(b"").cuts, [])
        self.assertEqual(read(written(b"moshez\r\n")).cuts, [])
        cut = read(written(b"moshez\r\n", 3, 7, 3))
        self.assertEqual((cut.data, cut.cuts), (b"moshez\r\n", [[b"mos", b"hez\r", b"\n"]]))
        self.assertEqual([cut.flag(number) for number in range(3)], [True, True, False])
        self.assertEqual(read(written(b"abc", 0x80)).cuts, [[b"a", b"b", b"c"]])
