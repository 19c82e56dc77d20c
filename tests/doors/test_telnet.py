"""Telnet's commands and line ends."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.net.telnet import Telnet
from tests.support.ports import cut


def received(*segments: bytes) -> bytes:
    """What is left of these segments."""
    telnet = Telnet()
    return b"".join(telnet.receive(segment) for segment in segments)


# Bytes that mean something to telnet, and some that don't.
_BYTES = st.lists(
    st.sampled_from(
        [b"\xff", b"\xfa", b"\xf0", b"\xfb", b"\xf4", b"\xef", b"\r", b"\n", b"\0", b"a", b"\x01"]
    )
).map(b"".join)


class TelnetTests(SynchronousTestCase):
    """What is left when telnet is taken out."""

    def test_plain(self) -> None:
        """What has no telnet in it stays as it is."""
        self.assertEqual(received(b"moshez\n"), b"moshez\n")

    def test_lineEnds(self) -> None:
        """CR LF and CR NUL are line ends like LF."""
        self.assertEqual(received(b"a\r\nb\r\0c\n"), b"a\nb\nc\n")

    def test_otherCarriageReturns(self) -> None:
        """A CR before anything else stays a control character in the line."""
        self.assertEqual(received(b"a\rb"), b"a\rb")
        self.assertEqual(received(b"a\r\r\n"), b"a\r\n")

    def test_bytesThatAreNoCommand(self) -> None:
        """An FF that begins no command stays, and so does all behind it: no line end is lost."""
        for data in (b"moshez\xff\n", b"\xffa\xff\xf1b\n", b"\xff\xef\xff\xfb\x01\n"):
            self.assertEqual(received(data), data)
        self.assertEqual(received(b"moshez\xff\r\n"), b"moshez\xff\n")

    def test_carriageReturnAtTheEnd(self) -> None:
        """A CR that the client's half-close follows is part of the line end."""
        self.assertEqual(received(b"moshez\r"), b"moshez")

    def test_negotiation(self) -> None:
        """Options that are offered and asked for are dropped, before the line and in it."""
        line = b"\xff\xfb\x1f\xff\xfd\x03mo\xff\xfc\x01sh\xff\xfe\x01ez\r\n"
        self.assertEqual(received(line), b"moshez\n")

    def test_optionThatIsALineEnd(self) -> None:
        """An option whose number is that of LF or CR doesn't end the line."""
        self.assertEqual(received(b"\xff\xfb\x0a\xff\xfb\x0dmoshez\r\n"), b"moshez\n")

    def test_subnegotiation(self) -> None:
        """A subnegotiation is dropped with all that is in it."""
        self.assertEqual(received(b"\xff\xfa\x18\0xterm\r\n\xff\xf0moshez\r\n"), b"moshez\n")

    def test_lonelyCommands(self) -> None:
        """Commands without an option, such as an interrupt, are dropped."""
        self.assertEqual(received(b"\xff\xf4\xff\xf1moshez\r\n"), b"moshez\n")

    def test_escapedByte(self) -> None:
        """The byte FF itself, which telnet doubles, is in no name and stays to show that."""
        self.assertIn(b"\xff", received(b"mo\xff\xffshez\r\n"))

    def test_endlessNegotiation(self) -> None:
        """A client that negotiates for ever isn't listened to for ever."""
        self.assertGreater(len(received(b"\xff\xfb\x01" * 1000)), 2000)

    def test_endlessSubnegotiation(self) -> None:
        """A subnegotiation without end isn't waited for for ever."""
        self.assertGreater(len(received(b"\xff\xfa" + b"x" * 1000)), 900)

    def test_manySubnegotiations(self) -> None:
        """Of very many that don't end only the first is looked at: the rest costs nothing."""
        data = b"\xff\xfa" * 32768
        self.assertEqual(received(data), data)

    @given(_BYTES, st.lists(st.integers(min_value=0), max_size=8))
    @example(b"\xff\xfa" + b"x" * 500 + b"\xff\xf0a\n", [503])
    @example(b"\xff\xfa" + b"x" * 501 + b"\xff\xf0a\n", [503, 504])
    @example(b"\xff\xfb\x01" * 200 + b"a\n", [100, 511, 512, 513])
    def test_anySplit(self, data: bytes, places: list[int]) -> None:
        """How the bytes were cut into segments makes no difference."""
        self.assertEqual(received(*cut(data, places)), received(data))

    @given(st.binary(max_size=80))
    def test_byteByByte(self, data: bytes) -> None:
        """Any bytes mean the same when they come one at a time."""
        self.assertEqual(received(*(data[i : i + 1] for i in range(len(data)))), received(data))
