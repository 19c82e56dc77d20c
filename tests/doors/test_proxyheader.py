"""What a load balancer says of a client, in both versions of the PROXY protocol."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.net.proxy_header import Header, parse

LIMIT = 200
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command: int, kind: int, content: bytes, length: int | None = None) -> bytes:
    """A header of version 2."""
    size = len(content) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, kind, size) + content


IPV4 = ip_address("192.0.2.1").packed + ip_address("198.51.100.2").packed + b"\x12\x34\0\x4f"
IPV6 = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed + b"\x12\x34\0\x4f"

HEADERS = [
    b"PROXY TCP4 192.0.2.1 198.51.100.2 4660 79\r\n",
    b"PROXY TCP6 2001:db8::1 2001:DB8::2 4660 79\r\n",
    b"PROXY UNKNOWN\r\n",
    v2(0x21, 0x11, IPV4),
    v2(0x21, 0x21, IPV6 + b"\x04\0\x05hello"),
    v2(0x20, 0x00, b""),
]


class HeaderTests(SynchronousTestCase):
    """Headers as balancers send them."""

    def source(self, data: bytes) -> tuple[str, int] | None:
        """The client that a header tells of, when a query follows it."""
        header = parse(data + b"moshez\r\n", LIMIT)
        assert header is not None
        self.assertEqual(header.size, len(data))
        return header.source and (str(header.source[0]), header.source[1])

    def malformed(self, data: bytes) -> str:
        """What is said of bytes that are no header."""
        return str(self.assertRaises(ValueError, parse, data, LIMIT))

    def test_version1(self) -> None:
        """Version 1 tells an IPv4 or an IPv6 address and a port."""
        for line, source in (
            (b"TCP4 192.0.2.1 198.51.100.2 4660 79", ("192.0.2.1", 4660)),
            (b"TCP4 255.255.255.255 255.255.255.255 65535 65535", ("255.255.255.255", 65535)),
            (b"TCP4 0.0.0.0 0.0.0.0 0 0", ("0.0.0.0", 0)),
            (b"TCP6 2001:db8::1 ::1 4660 79", ("2001:db8::1", 4660)),
            (b"TCP6 ::ffff:192.0.2.1 ::1 4660 79", ("::ffff:c000:201", 4660)),
        ):
            self.assertEqual(self.source(b"PROXY " + line + b"\r\n"), source, line)

    def test_version1Unknown(self) -> None:
        """UNKNOWN tells no address, whatever else the line says."""
        for rest in (b"", b" ", b" \xff\r \n what?", b" ::1 ::1 1 1"):
            self.assertIsNone(self.source(b"PROXY UNKNOWN" + rest + b"\r\n"), rest)

    def test_version1Malformed(self) -> None:
        """A line that is not exactly as it has to be is no header."""
        for line in (
            b"TCP4",
            b"TCP4 192.0.2.1 192.0.2.2 1 79 ",
            b"TCP4  192.0.2.1 192.0.2.2 1 79",
            b"TCP4 192.0.2.1 192.0.2.2 1",
            b"TCP4 192.0.2.01 192.0.2.2 1 79",
            b"TCP4 192.0.2 192.0.2.2 1 79",
            b"TCP4 192.0.2.1 192.0.2.256 1 79",
            b"TCP4 2001:db8::1 2001:db8::2 1 79",
            b"TCP4 192.0.2.1/24 192.0.2.2 1 79",
            b"TCP4 \xd9\xa1.0.2.1 192.0.2.2 1 79",
            b"TCP6 fe80::1%eth0 ::1 1 79",
            b"TCP6 192.0.2.1 192.0.2.2 1 79",
            b"TCP4 192.0.2.1 192.0.2.2 65536 79",
            b"TCP4 192.0.2.1 192.0.2.2 01 79",
            b"TCP4 192.0.2.1 192.0.2.2 +1 79",
            b"TCP4 192.0.2.1 192.0.2.2 1 123456",
            b"TCP4 192.0.2.1 192.0.2.2 \xb2 79",
            b"UDP4 192.0.2.1 192.0.2.2 1 79",
            b"UNKNOWNS",
            b"tcp4 192.0.2.1 192.0.2.2 1 79",
        ):
            self.malformed(b"PROXY " + line + b"\r\n")

    def test_version1LineEnd(self) -> None:
        """Only CR LF ends the line, and within 107 bytes."""
        line = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 79"
        for end in (b"\n", b"\r", b"\n\r"):
            self.assertIsNone(parse(line + end, LIMIT))
        longest = b"PROXY UNKNOWN".ljust(105, b"x").replace(b"Nx", b"N ", 1) + b"\r\n"
        self.assertEqual(len(longest), 107)
        self.assertEqual(parse(longest, LIMIT), Header(None, 107))
        self.assertIsNone(parse(longest[:106], LIMIT))
        self.assertIn("within 107 bytes", self.malformed(longest[:-2] + b"x\r\n"))

    def test_version2(self) -> None:
        """Version 2 tells an IPv4 or an IPv6 address and a port; what is behind is skipped."""
        for extra in (b"", b"\x04\0\x01x", b"\xff" * 100):
            self.assertEqual(self.source(v2(0x21, 0x11, IPV4 + extra)), ("192.0.2.1", 0x1234))
            self.assertEqual(self.source(v2(0x21, 0x21, IPV6 + extra)), ("2001:db8::1", 0x1234))

    def test_version2WithoutAddress(self) -> None:
        """The balancer's own connections, UNIX sockets, UDP and the unknown have no address."""
        for kind in (0x00, 0x01, 0x10, 0x12, 0x20, 0x22, 0x30, 0x31, 0x32):
            for content in (b"", IPV4, b"x" * 100):
                self.assertIsNone(self.source(v2(0x21, kind, content)), kind)
        for kind in (0x00, 0x11, 0xFF):
            self.assertIsNone(self.source(v2(0x20, kind, b"")), kind)
            self.assertIsNone(self.source(v2(0x20, kind, b"xyz")), kind)

    def test_version2Malformed(self) -> None:
        """Another version, command, family or protocol is no header, nor is one too short."""
        for header in (
            v2(0x11, 0x11, IPV4),
            v2(0x31, 0x11, IPV4),
            v2(0x22, 0x11, IPV4),
            v2(0x2F, 0x11, IPV4),
            v2(0x21, 0x41, IPV4),
            v2(0x21, 0x13, IPV4),
            v2(0x21, 0x11, IPV4[:-1]),
            v2(0x21, 0x21, IPV4),
        ):
            self.malformed(header)

    def test_version2Size(self) -> None:
        """A header is as long as it may be and no longer, which is seen at its beginning."""
        self.assertEqual(parse(v2(0x20, 0, b"x" * 184), LIMIT), Header(None, 200))
        self.assertIn("201 bytes", self.malformed(v2(0x20, 0, b"", length=185)))
        self.assertIn("65551 bytes", self.malformed(v2(0x21, 0x11, b"", length=65535)))

    def test_neither(self) -> None:
        """What begins otherwise is no header, and that is said at the first byte that differs."""
        for data in (b"moshez\r\n", b"\r\nm", b"\n", b"PRO\0", b"PROXY\t", b"\x16\x03\x01", b"p"):
            self.assertIn("doesn't begin with a PROXY header", self.malformed(data))
        self.assertIsNone(parse(b"", LIMIT))


def outcome(data: bytes) -> Header | str | None:
    """What is found in these bytes."""
    try:
        return parse(data, LIMIT)
    except ValueError as error:
        return str(error)


_BYTES = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=120).map(lambda rest: b"PROXY " + rest),
    st.text("0123456789. :UNKOWTCP46\r\n", max_size=110).map(lambda s: b"PROXY " + s.encode()),
    st.tuples(st.sampled_from([0x20, 0x21, 0x22]), st.integers(0, 255), st.binary(max_size=60)).map(
        lambda parts: v2(*parts)
    ),
    st.tuples(
        st.sampled_from(HEADERS), st.integers(0), st.binary(max_size=2), st.binary(max_size=20)
    ).map(lambda p: p[0][: p[1] % (len(p[0]) + 1)] + p[2] + p[0][p[1] % (len(p[0]) + 1) :] + p[3]),
)


class AnyBytesTests(SynchronousTestCase):
    """How the bytes are cut into segments changes nothing, and no bytes are too strange."""

    @given(_BYTES)
    def test_anySplit(self, data: bytes) -> None:
        """What is found in the first bytes is found in all of them, wherever they end."""
        whole = outcome(data)
        decided = False
        for size in range(len(data)):
            found = outcome(data[:size])
            if found is not None:
                self.assertEqual(found, whole)
                decided = True
            else:
                self.assertFalse(decided)
        if isinstance(whole, Header):
            self.assertLessEqual(whole.size, min(len(data), LIMIT))

    def test_everyHeaderCut(self) -> None:
        """A header isn't there before its last byte is, and then it is."""
        for header in HEADERS:
            for size in range(len(header)):
                self.assertIsNone(parse(header[:size], LIMIT), header[:size])
            found = parse(header, LIMIT)
            self.assertEqual(found and found.size, len(header))
