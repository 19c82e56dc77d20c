"""Daemons and programs that are forked from an interpreter that has imported them already."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

_SCRIPT = str(Path(__file__).with_name("starter.py"))


def readAtStart(variable: str) -> bool:
    """Whether it is a variable of the environment that an interpreter looks at when it starts."""
    return variable.startswith(("PYTHON", "LANG", "LC_", "LD_", "TZ"))


class Forked:
    """A process, as L{subprocess.Popen} shows one."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        standard: Sequence[int],
        cwd: str | Path = "/",
        prefix: Sequence[str] = (),
    ) -> None:
        """
        @param command: begins with the path of a program in Python.
        @param environment: all of it.
        @param standard: its standard input, output and error.
        @param prefix: a command that makes another user of the command that comes after it.
        """
        self.returncode: int | None = None
        # One packet for the pid, and one for the status.
        self._told, tells = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"command": [*command], "environment": {**environment}, "cwd": str(cwd)}
        read = frozenset(item for item in environment.items() if readAtStart(item[0]))
        starter = _starter(tuple(prefix), read)
        socket.send_fds(starter, [json.dumps(request).encode()], [*standard, tells.fileno()])
        tells.close()
        self.pid = self._next()

    def poll(self) -> int | None:
        """Its exit status, negative for a signal, if it has ended."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """
        Wait until it has ended.

        @param timeout: in seconds.
        @return: its exit status, negative for a signal.
        @raise subprocess.TimeoutExpired: when it runs on for longer.
        """
        if self.returncode is None:
            poll = select.poll()
            poll.register(self._told, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("a forked process", timeout or 0)
            self.returncode = self._next()
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it hasn't ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _next(self) -> int:
        return int(self._told.recv(64))


class Talking(Forked):
    """
    A process without input.

    @ivar stdout: all it says, as text.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        cwd: str | Path = "/",
        prefix: Sequence[str] = (),
    ) -> None:
        reads, writes = os.pipe()
        self.stdout = open(reads, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        with open(os.devnull, "rb") as nothing, open(writes, "wb") as output:
            standard = nothing.fileno(), output.fileno(), output.fileno()
            super().__init__(command, environment, standard, cwd, prefix)


def runForked(
    command: Sequence[str],
    environment: Mapping[str, str],
    timeout: float,
    given: bytes = b"",
    cwd: str | Path = "/",
    prefix: Sequence[str] = (),
) -> subprocess.CompletedProcess[bytes]:
    """
    Run a program, and wait until it has ended, as L{subprocess.run} does.

    @param given: its standard input.
    @raise subprocess.TimeoutExpired: when it ran on for longer; it is killed then.
    """
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as error,
    ):
        source.write(given)
        source.seek(0)
        standard = source.fileno(), out.fileno(), error.fileno()
        process = Forked(command, environment, standard, cwd, prefix)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        out.seek(0)
        error.seek(0)
        return subprocess.CompletedProcess(command, status, out.read(), error.read())


@cache
def _starter(prefix: tuple[str, ...], read: frozenset[tuple[str, str]]) -> socket.socket:
    """
    Start the process that forks, which ends when this one does.

    @param read: what it reads of its environment when it starts.
    @return: where it takes its requests: see L{tests.support.starter}.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    others = {name: value for name, value in os.environ.items() if not readAtStart(name)}
    process = subprocess.Popen(
        [*prefix, sys.executable, "-P", _SCRIPT, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        cwd="/",
        env={**others, **dict(read)},
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    atexit.register(_end, process, ours)
    return ours


def _end(process: subprocess.Popen[bytes], requests: socket.socket) -> None:
    requests.close()
    process.wait()
