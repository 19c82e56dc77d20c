"""How targets read their input, and what is true of every answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fingerd.text.cleaning import clean
from tests.support.ports import cut

# A byte of flags, and three places to cut at.
_HEAD = 7
_BYTEWISE = 0x80
# More bytes than this aren't sent one by one: that would only take its time.
_MOST_SEGMENTS = 1024

_REFERENCE = re.compile(rb"Reference: [0-9a-f]{8}\r\n")


@dataclass(frozen=True, slots=True)
class Bytes:
    """
    What comes from a peer.

    @ivar flags: what else is chosen by the input.
    @ivar cuts: C{data} in the segments that the input wants, if it wants more than one.
    """

    flags: int
    data: bytes
    cuts: Sequence[Sequence[bytes]]

    def flag(self, number: int) -> bool:
        """Whether the flag of this number, from 0 to 6, is set."""
        return bool(self.flags >> number & 1)


def read(given: bytes) -> Bytes:
    """Read an input."""
    head, data = given[:_HEAD].ljust(_HEAD, b"\0"), given[_HEAD:]
    if head[0] & _BYTEWISE and len(data) <= _MOST_SEGMENTS:
        segments = cut(data, range(len(data)))
    else:
        segments = cut(data, [int.from_bytes(head[at : at + 2], "big") for at in (1, 3, 5)])
    return Bytes(head[0], data, [segments] if len(segments) > 1 else [])


def written(data: bytes, flags: int = 0, *places: int) -> bytes:
    """The input that is read as this."""
    cuts = b"".join(place.to_bytes(2, "big") for place in places)
    return bytes([flags]) + cuts.ljust(_HEAD - 1, b"\0") + data


def answerIsWellFormed(answer: bytes, size: int) -> str:
    """
    Fail unless ``answer`` is one that may be sent: lines of harmless text that end in CR LF, and
    no more than ``size`` bytes. Give its text, with LF at the ends of its lines.
    """
    assert answer.endswith(b"\r\n"), "the last line has no end"
    assert len(answer) <= size, f"{len(answer)} bytes"
    text = answer.decode("utf-8").replace("\r\n", "\n")
    assert "\r" not in text, "a CR that ends no line"
    assert answer.count(b"\n") == answer.count(b"\r\n"), "an LF without its CR"
    assert clean(text) == text, "characters that drive a terminal"
    return text


def withoutReference(answer: bytes) -> bytes:
    """An answer without what differs from one failure to the next."""
    return _REFERENCE.sub(b"Reference: ...\r\n", answer)
