"""Reading the lines of a file into a table, bit by bit."""

from __future__ import annotations

import codecs

from fingerd.directories.watched.table import Table


class LineReader:
    """
    Reads a file, in pieces of any size, line by line into a table; a subclass knows its format.
    Blank lines, and lines that begin with ``#``, are nothing. Lines end in LF, the last one maybe
    not, and a byte-order mark before the first is no part of it.

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

    def _found(self, line: bytes) -> None:
        """There is a line that is something, whatever may turn out to be wrong with it."""

    def _read(self, line: bytes) -> None:
        """
        Read one line that is not too long.

        @raise ValueError: for one that is to be skipped, with the reason.
        """
        raise NotImplementedError

    def _line(self, line: bytes) -> None:
        self._number += 1
        if self._number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.startswith(b"#") or not line.strip():
            return
        self._found(line)
        try:
            if len(line) > self._longestLine:
                raise ValueError(f"longer than {self._longestLine} bytes")
            self._read(line)
        except UnicodeDecodeError:
            self._skip("not UTF-8")
        except ValueError as error:
            self._skip(str(error))

    def _skip(self, reason: str) -> None:
        self.skipped += 1
        if len(self.reasons) < self._reasonsKept:
            self.reasons.append(f"line {self._number}: {reason}")
