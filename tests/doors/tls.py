"""A certificate for localhost, and a TLS client that closes by halves."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TypeVar

from tests.support.daemon import PATIENCE

T = TypeVar("T")


class End(Enum):
    """What a client does behind its query."""

    NOTHING = "it waits"
    CLOSE_NOTIFY = "it says that it sends no more"
    FIN = "it closes its side of the TCP connection, and TLS isn't told"
    BOTH = "it says so, and closes its side of the TCP connection"


class TLSClient:
    """
    A client that does with TLS what it is told to, one step after the other; C{SSLSocket} can
    close only both sides. To be used in a thread.
    """

    def __init__(self, port: int, certificate: Path, before: bytes = b"") -> None:
        """
        @param before: what is sent before TLS begins.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificate)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        try:
            self._socket.sendall(before)
            self._do(self._tls.do_handshake)
        except BaseException:
            self._socket.close()
            raise

    def ask(self, query: bytes, end: End) -> bytes:
        """Send this and that end, and give all that comes back until the server says it's all."""
        with self._socket:
            self._do(lambda: self._tls.write(query))
            if end in (End.CLOSE_NOTIFY, End.BOTH):
                try:
                    self._tls.unwrap()
                except ssl.SSLWantReadError:
                    self._flush()
            if end in (End.FIN, End.BOTH):
                self._socket.shutdown(socket.SHUT_WR)
            answer = b""
            while received := self._do(self._read):
                answer += received
            if end is not End.NOTHING:
                # The server is done, and waits for nothing more from here.
                assert self._socket.recv(1000) == b""
            return answer

    def _read(self) -> bytes:
        try:
            return self._tls.read(65536)
        except ssl.SSLZeroReturnError:
            return b""

    def _do(self, step: Callable[[], T]) -> T:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush()
                received = self._socket.recv(65536)
                if received:
                    self._in.write(received)
                else:
                    self._in.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if self._out.pending:
            self._socket.sendall(self._out.read())
