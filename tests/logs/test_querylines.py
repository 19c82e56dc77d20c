"""The lines of the query log: what they say, and that nothing a client sends gets out of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.logs.query_lines import lines, shownPeer

# 2026-11-22T18:05:01.250Z
NOW = 1795370701.25

OfOneMoment = Callable[[str | None, str, bytes, str, int, float], str]


def jsonLines(peers: str = "full", longest: int = 128) -> OfOneMoment:
    """Lines in JSON, all of one moment."""
    return partial(lines("json", peers, longest), NOW)


def textLines(peers: str = "full", longest: int = 128) -> OfOneMoment:
    """Lines of plain text, all of one moment."""
    return partial(lines("text", peers, longest), NOW)


class LineTests(SynchronousTestCase):
    """A line of each form."""

    def test_json(self) -> None:
        """In JSON a line has when, who, where, what, what came of it, how much and how long."""
        line = jsonLines()("192.0.2.1", "tcp", b"moshez", "found", 16, 0.00031)
        self.assertTrue(line.endswith("}\n"))
        self.assertEqual(
            json.loads(line),
            {
                "time": "2026-11-22T18:05:01.250Z",
                "peer": "192.0.2.1",
                "door": "tcp",
                "query": "moshez",
                "outcome": "found",
                "bytes": 16,
                "ms": 0.31,
            },
        )

    def test_text(self) -> None:
        """In plain text it has the same, with the same names."""
        self.assertEqual(
            textLines()("192.0.2.1", "tcp", b"/W a b", "several", 16, 1.5),
            'time=2026-11-22T18:05:01.250Z peer=192.0.2.1 door=tcp query="/W a b" '
            "outcome=several bytes=16 ms=1500.00\n",
        )

    def test_times(self) -> None:
        """Times go on, and back where the clock does."""
        moments = [NOW, NOW + 0.0004, NOW + 0.001, NOW + 3600, NOW - 3600]
        line = lines("text", "full", 128)
        said = [line(at, None, "unix", b"", "list", 0, 0)[5:29] for at in moments]
        self.assertEqual(
            said,
            [
                "2026-11-22T18:05:01.250Z",
                "2026-11-22T18:05:01.250Z",
                "2026-11-22T18:05:01.251Z",
                "2026-11-22T19:05:01.250Z",
                "2026-11-22T17:05:01.250Z",
            ],
        )

    def test_hostile(self) -> None:
        """What would drive a terminal, end a line or turn text around is escaped."""
        query = 'a"\\\x1b[2J\n\r\x00\x9b\u202e\u2028é'.encode() + b"\xff"
        for make in (jsonLines(), textLines()):
            line = make("192.0.2.1", "tcp", query, "unknown", 14, 0)
            self.assertIn(
                r'"a\"\\\u001b[2J\n\r\u0000\u009b\u202e\u2028\u00e9\\xff"',
                line.replace("\\x7f", ""),
            )

    @given(st.binary(max_size=300))
    def test_anyBytes(self, query: bytes) -> None:
        """Whatever a client sends, a line is one line of printable ASCII, and JSON is JSON."""
        for form in ("json", "text"):
            line = lines(form, "full", 128)(NOW, "192.0.2.1", "tcp", query, "unknown", 14, 0)
            self.assertTrue(line.endswith("\n"))
            self.assertTrue(line[:-1].isascii() and line[:-1].isprintable())
            found = re.search(r'query(?:":|=)("(?:[^"\\]|\\.)*")', line)
            assert found is not None
            shown = json.loads(found[1])
            self.assertEqual(shown, query[:128].decode("utf-8", "backslashreplace"))
        self.assertEqual("cut" in line, len(query) > 128)

    def test_long(self) -> None:
        """Of a long query there is the beginning, and that it was cut."""
        line = jsonLines(longest=4)("192.0.2.1", "tcp", b"moshez", "unknown", 14, 0)
        self.assertEqual((json.loads(line)["query"], json.loads(line)["cut"]), ("mosh", True))
        self.assertNotIn("cut", jsonLines(longest=6)(None, "tcp", b"moshez", "unknown", 14, 0))
        line = textLines(longest=4)("192.0.2.1", "tcp", b"moshez", "unknown", 14, 0)
        self.assertIn(' query="mosh" cut=true outcome=', line)


class PeerTests(SynchronousTestCase):
    """What is told of clients."""

    def test_masked(self) -> None:
        """A masked peer is the network it is in; an IPv4 client of an IPv6 port is IPv4."""
        for peer, full, masked in (
            ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48"),
            ("fe80::1%eth0", "fe80::1", "fe80::/48"),
        ):
            self.assertEqual(shownPeer(peer, masked=False), full)
            self.assertEqual(shownPeer(peer, masked=True), masked)
        line = textLines("masked")("192.0.2.77", "tcp", b"moshez", "found", 16, 0)
        self.assertIn(" peer=192.0.2.0/24 ", line)
        self.assertNotIn("77", line)

    def test_none(self) -> None:
        """No peer is told where none is wanted, none is known, or what is there is no address."""
        for peers, peer in (("none", "192.0.2.1"), ("full", None), ("masked", "\x1b\n")):
            line = jsonLines(peers)(peer, "tcp", b"moshez", "found", 16, 0)
            self.assertIsNone(json.loads(line)["peer"])
            self.assertIn(" peer=- ", textLines(peers)(peer, "tcp", b"moshez", "found", 16, 0))
