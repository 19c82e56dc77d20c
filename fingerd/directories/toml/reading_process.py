"""
A process of its own, for reading files that take too long to understand in the reactor's.

It is forked at the very start, and from it another one for each file. At the start there are no
threads yet, whose locks a fork would copy in whatever state they are; there is little memory to
copy; and nothing is executed or imported later, when the daemon's user may not be able to read
the interpreter or the program. Then it becomes the user that the daemon has become. It opens
nothing: it is handed a file that is open, and a pipe for what is in it.

Whatever becomes of it, the daemon goes on: what ends early, or is silent for too long, is a
L{DirectoryError}. It ends when the daemon does.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import socket
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, suppress
from io import FileIO
from typing import BinaryIO, NoReturn

from twisted.internet.interfaces import IReactorTime

from fingerd.model.errors import CannotStart, DirectoryError

_PIECE = 16 * 1024
# How long the process may take, in seconds, to become another user.
_BECOMING = 10.0
# The one word that comes with a file, and the one that says that it is done.
_READ = b"r"
_DONE = b"d"

Read = Callable[[BinaryIO], Iterable[bytes]]


class ReadingProcess:
    """Reads files by calling ``read`` with them elsewhere."""

    def __init__(self, read: Read, silence: float, clock: IReactorTime) -> None:
        """
        @param read: gives what is in a file, piece by piece.
        @param silence: how many seconds there may be between two pieces.
        @param clock: the reactor.
        """
        self._readFile = read
        self._silence = silence
        self._clock = clock
        self._control: socket.socket | None = None
        self._pid = 0

    def start(self) -> None:
        """
        Start the process, if there is none. The daemon should have no threads yet.

        @raise CannotStart: when the system doesn't allow it.
        """
        if self._control is not None:
            return
        with ExitStack() as opened:
            try:
                ours, theirs = map(opened.enter_context, socket.socketpair())
                self._pid = os.fork()
            except OSError as error:
                raise CannotStart(f"can't start a process that reads files: {error}") from None
            if self._pid == 0:
                _wait(theirs.fileno(), self._readFile, self._silence)
            theirs.close()
            opened.pop_all()
        self._control = ours

    def follow(self) -> None:
        """
        Let the process become the user that the daemon is now. To be called once.

        @raise CannotStart: when it can't.
        """
        assert self._control is not None
        ids = [os.geteuid(), os.getegid(), *os.getgroups()]
        try:
            self._control.settimeout(_BECOMING)
            self._control.sendall(b"%s\n" % " ".join(map(str, ids)).encode())
            followed = self._control.recv(1) == _DONE
            self._control.setblocking(False)
        except OSError:
            followed = False
        if not followed:
            raise CannotStart("the process that reads files can't become the daemon's user")

    def read(self, file: FileIO) -> Generator[bytes | None, None, None]:
        """
        What is in ``file``, in pieces of any size: None where nothing has come yet.

        @raise DirectoryError: where nothing comes for too long.
        """
        incoming, outgoing = os.pipe()
        with open(incoming, "rb", buffering=0) as pipe:
            os.set_blocking(incoming, False)
            try:
                self._handOver(file.fileno(), outgoing)
            finally:
                os.close(outgoing)
            heard = self._clock.seconds()
            while (piece := pipe.read(_PIECE)) != b"":
                now = self._clock.seconds()
                if piece is not None:
                    heard = now
                elif now - heard > self._silence:
                    raise DirectoryError(
                        f"the process that reads it has said nothing for {self._silence:g} seconds"
                    )
                yield piece

    def stop(self) -> None:
        """End the process, if there is one. One that is reading ends with its file's pipe."""
        if self._control is None:
            return
        self._control.close()
        self._control = None
        # Where SIGCHLD is ignored the dead are buried by the system.
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def _handOver(self, *descriptors: int) -> None:
        try:
            if self._control is not None:
                socket.send_fds(self._control, [_READ], descriptors)
                return
        except BlockingIOError:
            raise DirectoryError("the process that reads it takes no more files") from None
        except OSError:
            self.stop()
        raise DirectoryError("the process that reads it is gone: only a restart brings it back")


def _wait(control: int, read: Read, silence: float) -> NoReturn:
    """What the process does: wait for files, until the daemon closes its end."""
    try:
        with socket.socket(fileno=_alone(control)) as daemon:
            _become(daemon)
            while True:
                word, descriptors, _, _ = socket.recv_fds(daemon, 1, 2)
                if not word:
                    break
                _begin(daemon, read, silence, descriptors)
    except BaseException:
        traceback.print_exc()
    finally:
        # Nothing that the daemon would do at its end is to be done here.
        os._exit(0)


def _alone(control: int) -> int:
    """Let go of everything that is the daemon's; give ``control``'s new number."""
    # A byte that a signal writes to the reactor's descriptor would go to whatever has its number.
    signal.set_wakeup_fd(-1)
    # The daemon's end is told by its socket: what a terminal or an administrator sends to all
    # of the daemon's processes is not meant for this one.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # Nobody asks how a reading ended: the system buries those who did it.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What is shared with the daemon stays shared if the collector doesn't write to it. What is
    # read is gone with the process.
    gc.disable()
    # Clients come first, where the system allows to say so.
    with suppress(OSError):
        os.nice(10)
    # Standard error stays, for what nobody has foreseen.
    control = fcntl.fcntl(control, fcntl.F_DUPFD_CLOEXEC, 3)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.closerange(3, control)
    os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))
    return control


def _become(daemon: socket.socket) -> None:
    """Wait to be told who the daemon has become, and be that user too, for good."""
    said = b""
    while not said.endswith(b"\n"):
        byte = daemon.recv(1)
        if not byte:
            # It has become nobody: it hasn't started.
            os._exit(0)
        said += byte
    uid, gid, *groups = map(int, said.split())
    if (uid, gid, groups) != (os.getuid(), os.getgid(), os.getgroups()):
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    daemon.sendall(_DONE)


def _begin(daemon: socket.socket, read: Read, silence: float, descriptors: list[int]) -> None:
    """Let one more process read the file; it can end in any way without harm to this one."""
    try:
        if os.fork() == 0:
            daemon.close()
            _answer(read, silence, *descriptors)
    except OSError:
        # There are too many processes: the daemon learns it from the pipe that is closed.
        traceback.print_exc()
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(read: Read, silence: float, file: int, pipe: int) -> NoReturn:
    """Write what is in the file to the pipe."""
    try:
        # Nothing in here catches the alarm: it ends what takes too long, without a word.
        signal.setitimer(signal.ITIMER_REAL, silence)
        with open(file, "rb", buffering=0) as source, open(pipe, "wb") as sink:
            for piece in read(source):
                sink.write(piece)
                sink.flush()
                signal.setitimer(signal.ITIMER_REAL, silence)
    except BrokenPipeError:
        # The daemon has stopped listening.
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)
