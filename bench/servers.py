"""The servers that are measured, and how each is started."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.loading import HERE, compiled
from bench.processes import cpuTime, freePort, memory, pinned

ROOT = HERE.parent
OURS, TALKS = "fingerd, as shipped", "the talk's server"
# Beside a folder's other files: where a counted daemon tells what is alive in it.
COUNTED = "counted"
TALKS_LOGGED = "the talk's server, twisted.logger once a query"
RAW, C = "epoll in Python", "epoll in C"

# What the daemon is started with besides: the limits on, but so high that they don't bite, since
# all clients come from a few addresses...
_LIMITS = (
    "--limit=connections=1000000",
    "--limit=peerConnections=1000000",
    "--limit=peerQueries=100000000",
    "--limit=lookups=1000000",
    # All who set something are one user, and a place is free when the client is seen to have gone.
    "--limit=userConnections=1000000",
    "--limit=setterConnections=1000000",
)
# ...and the query log.
_QUERY_LOG = "--query-log={folder}/queries.log"

# twistd's own script, where it is: that is what people run.
_SCRIPT = shutil.which("twistd", path=str(Path(sys.executable).parent))
TWISTD = (
    [sys.executable, _SCRIPT]
    if _SCRIPT
    else [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
)
_STARTING = 300.0


class DidNotStart(Exception):
    """A server that ends, or doesn't answer: the text is what it said."""


@dataclass(frozen=True)
class Server:
    """A server that can be started: it listens on C{port} of 127.0.0.1."""

    name: str
    port: int
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def _options(folder: Path, port: int, *more: str) -> list[str]:
    """Options of C{twistd finger}: the daemon as shipped, on a port of its own."""
    # As whoever runs the bench, who has made the files that it reads and writes.
    user = ["--user=root"] if os.geteuid() == 0 else []
    logged = _QUERY_LOG.format(folder=folder)
    return [f"--listen=tcp:{port}:interface=127.0.0.1", *user, logged, *more]


def ours(folder: Path, *more: str) -> Server:
    """This daemon. C{more} are its options: at least a directory, and what becomes of statuses."""
    port = freePort()
    options = _options(folder, port, *_LIMITS, *more)
    return Server(OURS, port, [*_twistd(folder, f"ours-{port}"), "finger", *options])


def counted(folder: Path, *more: str) -> Server:
    """
    This daemon, with its own limits, and beside it a L{bench.counted} that listens on
    L{COUNTED} in C{folder}.
    """
    port = freePort()
    command = [sys.executable, "-m", "bench.counted", str(folder / COUNTED)]
    words = _words(folder, f"counted-{port}")
    return Server(OURS, port, [*command, *words, "finger", *_options(folder, port, *more)])


def probed(folder: Path, *more: str) -> Server:
    """This daemon with a L{bench.probe} in it, which listens on C{folder/probe}."""
    port = freePort()
    environment = {
        "BENCH_OPTIONS": shlex.join(_options(folder, port, *_LIMITS, *more)),
        "BENCH_PROBE": str(folder / "probe"),
    }
    tac = str(HERE / "probed.tac")
    return Server(OURS, port, [*_twistd(folder, f"probed-{port}"), "-oy", tac], environment)


def tac(folder: Path, users: Path, state: Path) -> Server:
    """This daemon as finger.tac makes it: not as shipped, but for what it costs to start."""
    port = freePort()
    environment = {
        "FINGER_PORT": str(port),
        "FINGER_SETTER_PORT": "0",
        "FINGER_USERS": str(users),
        "FINGER_STATE": str(state),
    }
    command = [*_twistd(folder, f"tac-{port}"), "-oy", str(ROOT / "finger.tac")]
    return Server("finger.tac", port, command, environment)


def talks(folder: Path, users: Path, logged: bool = False) -> Server:
    """The talk's server."""
    port = freePort()
    environment = {"BENCH_PORT": str(port), "BENCH_USERS": str(users)}
    if logged:
        environment["BENCH_LOGGED"] = "1"
    command = [*_twistd(folder, f"talks-{port}"), "-oy", str(HERE / "talk.tac")]
    return Server(TALKS_LOGGED if logged else TALKS, port, command, environment)


def raw(users: Path) -> Server:
    """An epoll loop in Python."""
    port = freePort()
    return Server(RAW, port, [sys.executable, "-m", "bench.raw", str(port), str(users)])


def inC(folder: Path, users: Path) -> Server | None:
    """An epoll loop in C; None where there is no compiler."""
    program, port = compiled("server", folder), freePort()
    return None if program is None else Server(C, port, [program, str(port), str(users)])


def _twistd(folder: Path, name: str) -> list[str]:
    return [*TWISTD, *_words(folder, name)]


def _words(folder: Path, name: str) -> list[str]:
    """Options of twistd's own."""
    return ["-n", "--pidfile=", f"--logfile={folder / name}.log"]


class Running:
    """A server that runs, and has answered, until the block ends."""

    def __init__(self, server: Server, folder: Path, core: int | None = None) -> None:
        """
        @param folder: where it runs, and what it prints is kept.
        @param core: the only one that it runs on, if there is one.
        """
        self.name = server.name
        self.port = server.port
        self._said = folder / f"{server.port}.out"
        # Else started modules would be those of another checkout.
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with pinned(core), open(self._said, "wb") as said:
            self._process = subprocess.Popen(
                server.command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": path, **server.environment},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Running:
        try:
            self.answered(0.02)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def answered(self, interval: float) -> bytes:
        """
        Ask it for a user again and again until it answers.

        @param interval: how long to wait after each time, in seconds.
        @raise DidNotStart: when it ends before that, or takes too long.
        """
        end = time.monotonic() + _STARTING
        while self._process.poll() is None and time.monotonic() < end:
            with suppress(OSError):
                if said := ask(self.port, b"user0000000\r\n"):
                    return said
            time.sleep(interval)
        raise DidNotStart(f"{self.name}: {self.said[-2000:]}")

    @property
    def said(self) -> str:
        """What it has printed and logged."""
        files = [self._said, *self._said.parent.glob(f"*-{self.port}.log")]
        return "".join(file.read_text(errors="replace") for file in files)

    @property
    def cpu(self) -> float:
        """The processor's time that it has had, in seconds."""
        return cpuTime(self.pid)

    @property
    def memory(self) -> float:
        """What it has in memory, in MB."""
        return memory(self.pid)


def ask(port: int, query: bytes, timeout: float = 60) -> bytes:
    """Ask a server of this machine, and give all that it answers."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(query)
        said = b""
        while piece := connection.recv(65536):
            said += piece
        return said
