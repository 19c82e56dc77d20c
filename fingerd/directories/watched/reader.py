"""Reading a file of users into a table, piece by piece."""

from __future__ import annotations

import codecs

from fingerd.directories.watched.table import Table
from fingerd.model.errors import DirectoryError


class Malformed(DirectoryError):
    """The file as a whole makes no sense. It needn't be read again until it changes."""


class Reader:
    """
    Reads a file, in pieces of any size, into a table. A subclass knows the format.

    @ivar skipped: how many of the file's parts (its lines, its users) were skipped.
    @ivar reasons: for the first of them, which they are and what is wrong with them.
    """

    _REASONS = 10

    def __init__(self, table: Table, longest: int) -> None:
        """
        @param longest: the bytes that one part may have.
        """
        self.skipped = 0
        self.reasons: list[str] = []
        self._table = table
        self._longest = longest
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """
        Read the next piece.

        @raise Malformed: when the whole file makes no sense.
        """
        raise NotImplementedError

    def end(self) -> None:
        """
        Read what is left: that was the last piece.

        @raise Malformed: when the whole file makes no sense.
        """
        raise NotImplementedError

    def _skip(self, part: str, reason: str) -> None:
        self.skipped += 1
        if len(self.reasons) < self._REASONS:
            self.reasons.append(f"{part}: {reason}")


class LineReader(Reader):
    """
    Reads a file line by line. Blank lines, and lines that begin with ``#``, are nothing. Lines end
    in LF, the last one maybe not. A byte-order mark is no part of the first line.
    """

    _number = 0

    def feed(self, piece: bytes) -> None:
        lines = (self._rest + piece).split(b"\n")
        # Of a line that is too long already, enough is kept to know that it is.
        self._rest = lines.pop()[: self._longest + 1]
        for line in lines:
            self._line(line)

    def end(self) -> None:
        if self._rest:
            self._line(self._rest)

    def _found(self, line: bytes) -> None:
        """Take note of a line that is not nothing, whatever may turn out to be wrong with it."""

    def _read(self, line: bytes) -> None:
        """
        Read one line that is not too long.

        @raise ValueError: when the line is to be skipped, with the reason.
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
            if len(line) > self._longest:
                raise ValueError(f"longer than {self._longest} bytes")
            self._read(line)
        except UnicodeDecodeError:
            self._skip(f"line {self._number}", "not UTF-8")
        except ValueError as error:
            self._skip(f"line {self._number}", str(error))
