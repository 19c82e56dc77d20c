"""What the workers write to their logs, in the log of their parent."""

from __future__ import annotations

from twisted.logger import Logger

from fingerd.text.cleaning import escape

# More bytes without a line end than these are a line.
_LONGEST = 65_536


class WorkerLines:
    """
    What one worker writes, line by line: as it is, since the worker has put it into the form that
    was chosen, but for what could harm a reader's terminal. L{fingerd.logs.daemon_log} writes it.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._begun = b""

    def add(self, data: bytes) -> None:
        """The worker has written this."""
        whole, end, self._begun = (self._begun + data).rpartition(b"\n")
        if end:
            self._write(whole)
        if len(self._begun) > _LONGEST:
            self.end()

    def end(self) -> None:
        """The worker writes no more: what it has begun is a line."""
        begun, self._begun = self._begun, b""
        if begun:
            self._write(begun)

    def _write(self, lines: bytes) -> None:
        text = lines.decode("utf-8", "backslashreplace")
        self._log.info("{lines}", lines=escape(text))
