"""Real daemons on machines on which something fails."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.daemon.sources import WithFolder
from tests.support.daemon import IS_ROOT, NOBODY, PATIENCE, TWISTD, Daemon, needs, needsRoot, run

FAILED = b"Internal error in server\r\nReference: "

# Whether tests are run by root or not, the daemon is then another user than the owner of what may
# not be read.
_BECOMING = ("--user=nobody",) if IS_ROOT else ()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what nothing tells of."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not {what} after {PATIENCE} seconds")
        time.sleep(0.02)


def exchangeUnix(path: Path, request: bytes) -> bytes:
    """Send this to a socket, and give all that comes back."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        connection.sendall(request)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer


def inside(daemon: Daemon, path: Path) -> Path:
    """A path as the daemon sees it, with the disks that only it has."""
    return Path(f"/proc/{daemon.pid}/root{path}")


def limit(daemon: Daemon, what: str, value: str) -> None:
    """
    Let a limit of the running daemon be ``value``, and how far it may be raised again as it is.

    @param what: what prlimit(1) calls it.
    """
    # By the daemon's user: not every root may do this to others.
    same = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    run(*(same if IS_ROOT else ()), "prlimit", f"--pid={daemon.pid}", f"--{what}={value}:")


def clockOf(offset: Path) -> Sequence[str]:
    """
    What a daemon is run by that has a clock of its own, all but the one that nobody can set.

    @param offset: a file that says how far it is from this one, in seconds (C{+60}).
    """
    needs("faketime")
    # Debian's path, and that of others.
    for folder in (*Path("/usr/lib").glob("*/faketime"), Path("/usr/lib/faketime")):
        if (folder / "libfaketime.so.1").exists():
            return (
                "env",
                f"LD_PRELOAD={folder / 'libfaketime.so.1'}",
                f"FAKETIME_TIMESTAMP_FILE={offset}",
                "FAKETIME_NO_CACHE=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
            )
    raise AssertionError("faketime is here, and libfaketime.so.1 isn't")


class SilentNameServer:
    """
    A network with nothing in it but a DNS server that never answers, until the block ends.

    @ivar address: the server's.
    @ivar within: how to run something in that network.
    """

    address = "127.0.0.53"

    def __enter__(self) -> SilentNameServer:
        needsRoot()
        needs("ip")
        self._process = subprocess.Popen(
            [*_NEW_NETWORK, sys.executable, "-c", _NAME_SERVER, self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"up\n"
        self.within = ("nsenter", f"--net=/proc/{self._process.pid}/ns/net")
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()


_NEW_NETWORK = ("unshare", "--net", "sh", "-ec", 'ip link set lo up; exec "$@"', "sh")
_NAME_SERVER = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as server:
    server.bind((sys.argv[1], 53))
    print("up", flush=True)
    sys.stdin.read()
"""


def fill(path: Path) -> None:
    """Take up all the room on a disk with this file."""
    with open(path, "ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC, error


class LoggingDaemon:
    """A daemon with a log file, from its start line on, until the block ends."""

    def __init__(self, daemon: Daemon, log: Path) -> None:
        self.daemon = daemon
        self._log = log

    def __enter__(self) -> LoggingDaemon:
        start = re.compile(r"finger on 127.0.0.1:(\d+); setter on 127.0.0.1:(\d+)")
        until(lambda: start.search(self.said()) is not None, "started")
        found = start.search(self.said())
        assert found is not None
        self.daemon.port, self.daemon.setterPort = map(int, found.groups())
        return self

    def __exit__(self, *exception: object) -> None:
        self.daemon.__exit__(*exception)

    def said(self) -> str:
        """What is in the log."""
        try:
            return inside(self.daemon, self._log).read_text(errors="replace")
        except FileNotFoundError:
            return ""


class FaultCase(WithFolder):
    """A test with a folder, and daemons over what is in it."""

    def setUp(self) -> None:
        super().setUp()
        # The daemon makes its state directory in it.
        self.folder.chmod(0o1777)
        self.users = self.file("users", "moshez:Happy and well\n")

    def daemon(
        self,
        *options: str,
        script: str = "",
        within: Sequence[str] = (),
        command: Sequence[str] = (TWISTD,),
        setter: str = "tcp:0:interface=127.0.0.1",
    ) -> Daemon:
        """
        A daemon that looks for changes every second.

        @param script: what the shell does first, as root, with disks of its own.
        @param within: what that shell is run by.
        """
        shell = (*within, "unshare", "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh")
        return Daemon(
            "-n",
            "--pidfile=",
            "finger",
            *(() if _says(options, "--listen=") else ("--listen=tcp:0:interface=127.0.0.1",)),
            f"--setter={setter}",
            "--reload=1",
            f"--state={self.folder}/state",
            *(() if _says(options, "--directory=") else (f"--directory=file:{self.users}",)),
            *_BECOMING,
            *options,
            command=(*shell, *command) if script else command,
            asRoot=True,
        )

    def connect(self, daemon: Daemon) -> socket.socket:
        """A connection to the daemon, which the test's end closes."""
        connection = socket.create_connection(("127.0.0.1", daemon.port), PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def shows(self, daemon: Daemon, query: bytes, answer: bytes) -> None:
        """Wait until this is the answer to that."""
        until(lambda: daemon.ask(query) == answer, f"{answer!r}")

    def replace(self, text: str) -> None:
        """Put another users file in the place of the one that is there."""
        new = self.file("users.new", text)
        os.rename(new, self.users)


def _says(options: Sequence[str], name: str) -> bool:
    return any(option.startswith(name) for option in options)
