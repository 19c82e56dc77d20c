"""A client that sends bytes as it is told to, and gives back what comes."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.wire.shown import shown, shownLines

# Long enough for a busy machine; nothing waits for it to pass unless something is broken.
PATIENCE = 60


class End:
    """What a client does when it closes its sending side."""


END = End()
Piece = str | bytes | End
# At once, or in pieces that are sent one by one; text is sent as UTF-8.
Request = Piece | Sequence[Piece]
# A port of 127.0.0.1, or the path of a UNIX socket.
Address = int | str


class Answer(NamedTuple):
    """
    What came back until the server closed.

    @ivar reset: whether it was a reset that ended it.
    """

    data: bytes
    reset: bool


def each(request: str | bytes) -> list[Piece]:
    """The request a byte at a time."""
    return [bytes([byte]) for byte in encoded(request)]


def pieces(request: Request) -> list[bytes | End]:
    """What is sent, one after the other."""
    parts = [request] if isinstance(request, str | bytes | End) else request
    return [part if isinstance(part, End) else encoded(part) for part in parts]


def encoded(text: str | bytes) -> bytes:
    """The bytes that are sent of it."""
    return text.encode("utf-8") if isinstance(text, str) else text


def shownRequest(request: Request) -> str:
    """A request as the transcript has it."""
    return " | ".join(
        "(closes its sending side)" if isinstance(part, End) else shown(part)
        for part in pieces(request)
    )


def shownAnswer(answer: Answer) -> list[str]:
    """The lines of an answer, as the transcript has them."""
    lines = shownLines(answer.data)
    if not lines:
        # By a reset or not: that depends on whether the daemon has read all by then.
        return ["(closed without an answer)"]
    return [*lines, "(reset)"] if answer.reset else lines


@contextmanager
def connected(address: Address, uid: int | None = None) -> Iterator[socket.socket]:
    """
    A connection, for the length of a C{with} statement.

    @param uid: whose the kernel is to say that it is; only root can make it another user's.
    """
    family = socket.AF_INET if isinstance(address, int) else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        if uid is not None:
            os.fchown(connection.fileno(), uid, uid)
        if isinstance(address, int):
            connection.connect(("127.0.0.1", address))
            # So that each piece is on its way before the next one.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            connection.connect(address)
        yield connection


def send(connection: socket.socket, request: Request) -> None:
    """Send a request, as far as the server takes it."""
    try:
        for piece in pieces(request):
            if isinstance(piece, End):
                connection.shutdown(socket.SHUT_WR)
            else:
                connection.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        """What it has said before it closed is still to be read."""


def receive(connection: socket.socket) -> Answer:
    """All that comes until the server closes."""
    data = b""
    try:
        while received := connection.recv(65536):
            data += received
    except ConnectionResetError:
        return Answer(data, True)
    return Answer(data, False)


def exchange(address: Address, request: Request, uid: int | None = None) -> Answer:
    """Send a request, and give back what comes of it."""
    with connected(address, uid) as connection:
        send(connection, request)
        return receive(connection)


def secureExchange(
    address: Address, request: Request, certificate: str, before: bytes = b""
) -> Answer:
    """
    The same over TLS.

    @param certificate: the file with the server's, which is for localhost.
    @param before: what is sent before TLS begins.
    """
    context = ssl.create_default_context(cafile=certificate)
    with connected(address) as plain:
        plain.sendall(before)
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            send(connection, request)
            return receive(connection)
