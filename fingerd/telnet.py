"""
What interactive clients put around a line.

A person may ask with telnet or PuTTY, which negotiate options (RFC 854) before and between the
bytes of the line, and end it in CR LF or CR NUL. L{Telnet} takes all that out; what is left
is plain bytes with LF line ends. It decides by the bytes alone, never by how they were cut
into segments.
"""

from __future__ import annotations

import re

_LINE_END_OR_IAC = re.compile(rb"\r|\xff")

# CR LF and CR NUL end a line. IAC (FF) begins a command: WILL, WON'T, DO and DON'T (FB to FE)
# have one byte more, a subnegotiation (FA) lasts until IAC SE (FF F0), others stand alone. FF FF
# is the data byte FF, which no UTF-8 text has: left as it is, it makes a line that names nobody.
_COMPLETE = re.compile(rb"\r[\n\0]|\xff(?:[\xfb-\xfe].|\xfa.{0,500}?\xff\xf0|[^\xfa-\xff])", re.S)
_INCOMPLETE = re.compile(rb"\r|\xff(?:[\xfb-\xfe]|\xfa.{0,500}\xff?)?", re.S)


class Telnet:
    """
    Takes the telnet out of one connection's bytes.

    At most ``allowance`` bytes of negotiation are taken out; past that the bytes stay as they
    are, so that a client can't negotiate for ever without ever sending a line.
    """

    def __init__(self, allowance: int = 512) -> None:
        self._allowance = allowance
        self._held = b""

    def receive(self, data: bytes) -> bytes:
        """
        Take what came in; give back what is certain by now. What is held back at the end of the
        input, an unfinished command or a lone CR, is nothing.
        """
        data = self._held + data
        self._held = b""
        plain = []
        start = 0
        while (found := _LINE_END_OR_IAC.search(data, start)) is not None:
            at = found.start()
            plain.append(data[start:at])
            if (sequence := _COMPLETE.match(data, at)) is not None:
                start = sequence.end()
                if data[at] == 0x0D:
                    plain.append(b"\n")
                    continue
                self._allowance -= start - at
                if self._allowance >= 0:
                    continue
                start = at
            elif _INCOMPLETE.fullmatch(data, at) is not None:
                self._held = data[at:]
                return b"".join(plain)
            plain.append(data[at : at + 1])
            start = at + 1
        plain.append(data[start:])
        return b"".join(plain)
