"""
What interactive clients put around a line.

A person may ask with telnet or PuTTY, which negotiate options (RFC 854) before and between the
bytes of the line, and end it in CR LF or CR NUL. L{Telnet} takes all that out; what is left
is plain bytes with LF line ends. It decides by the bytes alone, never by how they were cut
into segments.
"""

from __future__ import annotations

import re

# IAC (FF) begins a command: WILL, WON'T, DO and DON'T (FB to FE) have one byte more, a
# subnegotiation (FA) lasts until IAC SE (FF F0), and F0 to F9 stand alone. Any other FF is just
# that byte, which no UTF-8 text has: the line names nobody, and no command in it matters any more.
_COMMAND = re.compile(rb"\xff(?:[\xfb-\xfe].|\xfa.{0,500}?\xff\xf0|[\xf0-\xf9])", re.S)
_BEGUN = re.compile(rb"\xff(?:[\xfb-\xfe]|\xfa.{0,500}\xff?)?", re.S)
_LINE_END = re.compile(rb"\r[\n\0]")


class Telnet:
    """
    Takes the telnet out of one connection's bytes.

    At most ``allowance`` bytes of commands are taken out; past that the bytes stay as they are,
    so that a client can't negotiate for ever without ever sending a line.
    """

    def __init__(self, allowance: int = 512) -> None:
        # Negative once commands don't matter any more.
        self._allowance = allowance
        # A command that isn't complete yet, and before that a CR whose LF or NUL may be to come.
        self._begun = b""
        self._return = b""

    def receive(self, data: bytes) -> bytes:
        """
        Take what came in; give back what is certain by now. What is held back at the end of the
        input, an unfinished command or a lone CR, is nothing.
        """
        plain = self._return + self._withoutCommands(self._begun + data)
        self._return = b""
        if plain.endswith(b"\r"):
            plain, self._return = plain[:-1], b"\r"
        return _LINE_END.sub(b"\n", plain)

    def _withoutCommands(self, data: bytes) -> bytes:
        self._begun = b""
        parts = []
        start = 0
        while self._allowance >= 0 and (at := data.find(b"\xff", start)) >= 0:
            if command := _COMMAND.match(data, at):
                self._allowance -= command.end() - at
                if self._allowance >= 0:
                    parts.append(data[start:at])
                    start = command.end()
            elif _BEGUN.fullmatch(data, at):
                parts.append(data[start:at])
                self._begun = data[at:]
                return b"".join(parts)
            else:
                self._allowance = -1
        parts.append(data[start:])
        return b"".join(parts)
