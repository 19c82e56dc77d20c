"""A finger server that says what it is told to, for a daemon that asks it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress

from tests.wire.client import PATIENCE


class Trouble:
    """What is no answer."""


# It is asked, and says nothing until the client gives up: that may be before it notes the request.
SILENCE = Trouble()
# It is asked, and resets the connection in the middle of its answer.
RESET = Trouble()

HELD = b"Late, but here\r\n"


class Server:
    """
    Runs until it is closed, on a port of 127.0.0.1.

    @ivar port: its port.
    @ivar held: is released once for each request that is held back.
    @ivar release: to be set when they are to be answered, with L{HELD}.
    """

    def __init__(self, answers: Mapping[bytes, bytes | Trouble], hold: bytes | None = None) -> None:
        """
        @param answers: by request lines. To another it closes without a word.
        @param hold: a request line that is answered only later.
        """
        self._answers = answers
        self._hold = hold
        self._asked: list[bytes] = []
        self.held = threading.Semaphore(0)
        self.release = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more requests."""
        self.release.set()
        # That wakes up who accepts, as close alone doesn't.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def asked(self) -> list[bytes]:
        """What it was asked since the last time, in alphabetical order."""
        asked, self._asked = sorted(self._asked), []
        return asked

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # The daemon may close before all is said.
        with connection, suppress(ConnectionError):
            connection.settimeout(PATIENCE)
            line = b""
            while not line.endswith(b"\n") and (received := connection.recv(1024)):
                line += received
            answer = self._answers.get(line, b"")
            if answer is SILENCE:
                connection.recv(1)
                return
            self._asked.append(line)
            if line == self._hold:
                self.held.release()
                self.release.wait(PATIENCE)
                connection.sendall(HELD)
                return
            if isinstance(answer, bytes):
                connection.sendall(answer)
            else:
                connection.sendall(b"Half an ans")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
