"""
The format of the users file: ``user:status`` a line, as in the talk.

 - The status may have colons. White space around user and status doesn't count.
 - A line that begins with white space continues the status above, on a line of its own.
 - Blank lines, and lines that begin with ``#``, are nothing.
 - A later line for the same user wins.
 - UTF-8, with or without a byte-order mark; LF or CR LF, and the last line with or without one.

A line that is none of that is skipped, with the lines that continue it; all others count.
"""

from __future__ import annotations

import codecs

from fingerd.directories.table import Table
from fingerd.user import isLogin


class UsersReader:
    """
    Reads a users file, in pieces of any size, into a table.

    @ivar skipped: how many lines were skipped.
    @ivar reasons: for the first of them, their numbers and what is wrong with them.
    """

    def __init__(self, table: Table, longestLine: int, reasonsKept: int = 10) -> None:
        """
        @param longestLine: the bytes a line may have, without its end.
        """
        self.skipped = 0
        self.reasons: list[str] = []
        self._reasonsKept = reasonsKept
        self._table = table
        self._longestLine = longestLine
        self._rest = b""
        self._number = 0
        # The user whose status may go on in the next line: None where that user's line was
        # skipped, or where there was none yet.
        self._login: str | None = None
        self._status: list[str] = []

    def feed(self, piece: bytes) -> None:
        """Read the next piece."""
        lines = (self._rest + piece).split(b"\n")
        # Of a line that is too long already, enough is kept to know that.
        self._rest = lines.pop()[: self._longestLine + 1]
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """That was the last piece."""
        if self._rest:
            self._line(self._rest)
        self._put()

    def _line(self, line: bytes) -> None:
        self._number += 1
        if self._number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.startswith(b"#") or not line.strip():
            return
        continues = line.startswith((b" ", b"\t"))
        try:
            if len(line) > self._longestLine:
                raise ValueError(f"longer than {self._longestLine} bytes")
            text = line.decode("utf-8").strip()
            if continues:
                self._continued(text)
            else:
                self._put()
                self._begun(text)
        except UnicodeDecodeError:
            self._skip("not UTF-8")
        except ValueError as error:
            self._skip(str(error))

    def _begun(self, text: str) -> None:
        login, colon, status = text.partition(":")
        login = login.rstrip()
        if not colon:
            raise ValueError("no colon after the user")
        if not isLogin(login):
            raise ValueError("no user can be called that")
        self._login, self._status = login, [status.lstrip()]

    def _continued(self, text: str) -> None:
        if self._login is not None:
            self._status.append(text)
        elif not self.skipped:
            raise ValueError("continues nothing")

    def _skip(self, reason: str) -> None:
        self.skipped += 1
        if len(self.reasons) < self._reasonsKept:
            self.reasons.append(f"line {self._number}: {reason}")

    def _put(self) -> None:
        if self._login is not None:
            self._table.put(self._login, "\n".join(self._status))
        self._login = None
