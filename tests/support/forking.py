"""Daemons that are forked from a twistd that has imported all of it already."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

_SCRIPT = str(Path(__file__).with_name("twistd.py"))


class Forked:
    """The process of a daemon, as L{subprocess.Popen} shows one whose output is read as text."""

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cwd: str | Path = "/",
        prefix: Sequence[str] = (),
    ) -> None:
        """
        @param program: the path of C{twistd}.
        @param environment: all of it. What an interpreter reads of it when it starts is to be the
            same for all of a C{prefix}.
        @param prefix: a command that makes another user of the command that comes after it.
        """
        self.returncode: int | None = None
        reads, writes = os.pipe()
        # One packet for the pid, and one for the status.
        self._told, tells = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"arguments": arguments, "environment": {**environment}, "cwd": str(cwd)}
        starter = _starter(program, tuple(prefix), environment.get("PYTHONPATH"))
        socket.send_fds(starter, [json.dumps(request).encode()], [writes, tells.fileno()])
        os.close(writes)
        tells.close()
        self.stdout = open(reads, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
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
                raise subprocess.TimeoutExpired("twistd", timeout or 0)
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


@cache
def _starter(program: str, prefix: tuple[str, ...], path: str | None) -> socket.socket:
    """
    Start the process that forks, which ends when this one does.

    @return: where it takes its requests: see L{tests.support.twistd}.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [*prefix, sys.executable, "-P", _SCRIPT, str(theirs.fileno()), program],
        stdin=subprocess.DEVNULL,
        cwd="/",
        env={**os.environ, "PYTHONUNBUFFERED": "1", **({"PYTHONPATH": path} if path else {})},
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    atexit.register(_end, process, ours)
    return ours


def _end(process: subprocess.Popen[bytes], requests: socket.socket) -> None:
    requests.close()
    process.wait()
