"""Real daemons over directories of every kind, and servers for them to ask."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import PATIENCE, ROOT, Daemon, needs
from tests.support.ports import temporaryFolder

UNKNOWN = b"No such user\r\n"


def asked(*arguments: str, listen: str = "tcp:0:interface=127.0.0.1") -> tuple[str, ...]:
    """The arguments of a daemon that is asked and sets nothing."""
    return "-n", "--pidfile=", "finger", f"--listen={listen}", "--no-setter", *arguments


def over(*urls: str, options: tuple[str, ...] = (), asRoot: bool = False) -> Daemon:
    """A daemon with these directories."""
    return Daemon(*asked(*[f"--directory={url}" for url in urls], *options), asRoot=asRoot)


def inFingerd(case: SynchronousTestCase, *arguments: str) -> str:
    """The URL of Debian's in.fingerd, which runs until the test ends."""
    needs("in.fingerd", "finger")
    inetd = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/support/inetd.py"), "in.fingerd", *arguments],
        stdout=subprocess.PIPE,
    )
    assert inetd.stdout is not None
    case.addCleanup(inetd.stdout.close)
    case.addCleanup(inetd.wait)
    case.addCleanup(inetd.kill)
    return f"finger://127.0.0.1:{int(inetd.stdout.readline())}"


def refusing(case: SynchronousTestCase) -> str:
    """The URL of a server that is down."""
    holder = socket.socket()
    case.addCleanup(holder.close)
    holder.bind(("127.0.0.1", 0))
    return f"finger://127.0.0.1:{holder.getsockname()[1]}"


def ends(pid: int) -> bool:
    """Whether that process ends, in a time in which all do that were killed."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process) as file:
        ready, _, _ = select.select([file], [], [], PATIENCE)
    return bool(ready)


class Misbehaving:
    """
    A server on loopback that does to each connection what it is told, until the block ends.
    """

    def __init__(self, does: Callable[[socket.socket], object]) -> None:
        self._does = does

    def __enter__(self) -> str:
        """Its URL."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve)
        self._thread.start()
        return f"finger://127.0.0.1:{self._server.getsockname()[1]}"

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(100)
                    self._does(connection)


def silent(connection: socket.socket) -> None:
    """Say nothing until the other side has gone."""
    connection.recv(100)


def endless(connection: socket.socket) -> None:
    """Say one thing again and again."""
    while True:
        connection.sendall(b"and so on\r\n" * 1000)


def slow(connection: socket.socket) -> None:
    """Say it a byte at a time, until the other side has gone."""
    while not select.select([connection], [], [], 0.05)[0]:
        connection.sendall(b"x")


def resets(connection: socket.socket) -> None:
    """Begin to say something, and break off."""
    connection.sendall(b"Login: ")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class WithFolder(SynchronousTestCase):
    """A test with a folder that every user may look into."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)
        self.folder.chmod(0o755)

    def file(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def program(self, text: str) -> str:
        return f"exec:{self.file('program', f'#!/bin/sh{chr(10)}{text}{chr(10)}', 0o755)}"
