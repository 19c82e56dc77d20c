"""
One run of a program, from its start until nothing is left of it.

This is not C{reactor.spawnProcess}, for three reasons. It can't give the program a process group
of its own, without which what the program has started outlives it. It forgets the program before
anyone can end what it left behind. And it closes the daemon's connections in the new process one
by one: with 10,000 of them the reactor stands still for up to 75 ms, here for 2.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import FileIO
from subprocess import PIPE, Popen
from typing import IO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReactorTime, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

# What a pipe holds on Linux.
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Output:
    """
    What a program has written: to its standard output, and to its standard error.

    ``status`` is how it ended: its exit status, or the number of the signal that ended it, below
    zero; None where it was ended because it wrote too much.
    """

    text: bytes
    errors: bytes
    status: int | None


class Child:
    """
    A program that runs, with an environment that has nothing of the daemon's, in C{/}, in a
    session and process group of its own.

    Its standard input is a socket at its end. finger(1) takes that for a query from elsewhere, as
    under inetd, and heeds C{~/.nofinger}.

    The program is over when its first process is. The processes that it leaves behind are killed,
    and nobody waits until they close its standard output. Those that have moved to yet another
    process group can't be killed.

    @ivar output: fires with an L{Output} when the program is over, or when it wrote too much and
        was killed for that. To cancel it is to kill the program.
    @ivar gone: fires when the program is over and no process of its own is left.
    """

    _log = Logger()

    def __init__(self, argv: Sequence[str], reactor: IReactorFDSet, most: int) -> None:
        """
        Start the program.

        @param argv: the program's path, and its arguments.
        @param reactor: must be an L{IReactorTime} too, as every reactor is.
        @param most: the bytes that it may write to each of standard output and standard error.
        @raise OSError: when it can't be started.
        """
        self.output: Deferred[Output] = Deferred(lambda _: self._kill())
        self.gone: Deferred[None] = Deferred()
        ended, stdin = socket.socketpair()
        ended.close()
        with stdin:
            process = Popen(
                argv,
                stdin=stdin.fileno(),
                stdout=PIPE,
                stderr=PIPE,
                bufsize=0,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        self._process = process
        assert process.stdout is not None and process.stderr is not None
        self._text = _Pipe(process.stdout, most, self._tooMuch, reactor)
        self._errors = _Pipe(process.stderr, most, self._tooMuch, reactor)
        try:
            life = FileIO(os.pidfd_open(process.pid))
        except OSError:
            # Out of descriptors.
            self._kill()
            process.wait()
            raise
        self._life = _Readable(life, self._over, reactor)

    def _kill(self) -> None:
        self._text.close()
        self._errors.close()
        self._killGroup()

    def _killGroup(self) -> None:
        # The program isn't reaped yet: its number, and its group's, can't be another's.
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except PermissionError as error:
            # It has become another user.
            self._log.warn(
                "{program!r}, process {pid}, can't be killed: {reason}",
                program=self._process.args,
                pid=self._process.pid,
                reason=error.strerror,
            )

    def _tooMuch(self) -> None:
        self._kill()
        self._end(None)

    def _over(self) -> None:
        self._life.close()
        self._killGroup()
        self._text.readRest()
        self._errors.readRest()
        status = self._process.wait()
        self.gone.callback(None)
        self._end(status)

    def _end(self, status: int | None) -> None:
        if not self.output.called:
            output = Output(bytes(self._text.data), bytes(self._errors.data), status)
            self.output.callback(output)


@implementer(IReadDescriptor)
class _Readable:
    """
    A file that the reactor watches until it is closed.

    The reactor goes through all that it has found to be ready by the descriptors' numbers. The file
    is closed only after that. Otherwise its number could already be that of a client that has just
    connected, and the reactor would take the client for ready.
    """

    def __init__(self, file: IO[bytes], ready: Callable[[], None], reactor: IReactorFDSet) -> None:
        """
        @param ready: called when the file can be read.
        """
        self._file = file
        self._ready = ready
        self._reactor = reactor
        self._closed = False
        reactor.addReader(self)

    def fileno(self) -> int:
        return -1 if self._closed else self._file.fileno()

    def logPrefix(self) -> str:
        return type(self).__name__

    def doRead(self) -> None:
        self._ready()

    def connectionLost(self, reason: Failure) -> None:
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._reactor.removeReader(self)
            IReactorTime(self._reactor).callLater(0, self._file.close)


class _Pipe(_Readable):
    """
    What a program writes.

    @ivar data: what the program has written so far: a little over ``most`` bytes at most.
    """

    def __init__(
        self, file: IO[bytes], most: int, tooMuch: Callable[[], None], reactor: IReactorFDSet
    ) -> None:
        """
        @param tooMuch: called when more than ``most`` bytes were written. The rest isn't read.
        """
        os.set_blocking(file.fileno(), False)
        self.data = bytearray()
        self._most = most
        self._tooMuch = tooMuch
        super().__init__(file, self._read, reactor)

    def _read(self) -> None:
        try:
            piece = os.read(self.fileno(), _PIECE)
        except BlockingIOError:
            return
        self.data += piece
        if not piece:
            self.close()
        elif len(self.data) > self._most:
            self.close()
            self._tooMuch()

    def readRest(self) -> None:
        """Read what is there, wait for no more, and close."""
        before = -1
        while not self._closed and len(self.data) > before:
            before = len(self.data)
            self._read()
        self.close()
