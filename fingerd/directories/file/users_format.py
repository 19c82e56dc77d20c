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

from fingerd.directories.watched.lines import LineReader
from fingerd.directories.watched.table import Table
from fingerd.model.user import isLogin

_WHITE_SPACE = (b" ", b"\t")


class UsersReader(LineReader):
    """Reads a users file, in pieces of any size, into a table."""

    def __init__(self, table: Table, longestLine: int, reasonsKept: int = 10) -> None:
        super().__init__(table, longestLine, reasonsKept)
        # The user whose status may go on in the next line: None where that user's line was
        # skipped, or where there was none yet.
        self._login: str | None = None
        self._status: list[str] = []
        self._room = 0

    def end(self) -> None:
        super().end()
        self._put()

    def _found(self, line: bytes) -> None:
        if not line.startswith(_WHITE_SPACE):
            self._put()

    def _read(self, line: bytes) -> None:
        text = line.decode("utf-8").strip()
        if line.startswith(_WHITE_SPACE):
            self._continued(text)
        else:
            self._begun(text)

    def _begun(self, text: str) -> None:
        login, colon, status = text.partition(":")
        login = login.rstrip()
        if not colon:
            raise ValueError("no colon after the user")
        if not isLogin(login):
            raise ValueError("no user can be called that")
        self._login, self._status = login, [status.lstrip()]
        self._room = self._longestLine - len(status)

    def _continued(self, text: str) -> None:
        if self._login is not None:
            # As long as a line may be is enough for a status: whoever asks has to be sent it all.
            self._room -= len(text)
            if self._room < 0:
                raise ValueError(f"the status is longer than {self._longestLine} characters")
            self._status.append(text)
        elif not self.skipped:
            raise ValueError("continues nothing")

    def _put(self) -> None:
        if self._login is not None:
            self._table.put(self._login, "\n".join(self._status))
        self._login = None
