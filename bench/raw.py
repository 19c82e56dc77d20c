"""The least that a server in Python can do: ``python -m bench.raw PORT FILE``."""

from __future__ import annotations

import select
import socket
import sys


def serve(port: int, path: str) -> None:
    """Answer for the users in a file, for ever."""
    users: dict[bytes, bytes] = {}
    with open(path, "rb") as file:
        for line in file:
            user, _, status = line.rstrip(b"\n").partition(b":")
            users[user] = status + b"\r\n"

    def answer(connection: socket.socket) -> bool:
        """Whether the line was there, and was answered."""
        try:
            line = connection.recv(512)
        except BlockingIOError:
            return False
        connection.send(users.get(line.rstrip(b"\r\n"), b"No such user\r\n"))
        connection.close()
        return True

    listening = socket.create_server(("127.0.0.1", port), backlog=1024)
    listening.setblocking(False)
    loop = select.epoll()
    loop.register(listening, select.EPOLLIN)
    waiting: dict[int, socket.socket] = {}
    while True:
        for descriptor, _ in loop.poll():
            if descriptor != listening.fileno():
                # Closing takes it out of the loop.
                answer(waiting.pop(descriptor))
                continue
            while True:
                try:
                    connection, _ = listening.accept()
                except BlockingIOError:
                    break
                connection.setblocking(False)
                # Most times the line came with the connection.
                if not answer(connection):
                    waiting[connection.fileno()] = connection
                    loop.register(connection, select.EPOLLIN)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
