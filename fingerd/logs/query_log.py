"""The query log: a line for each query, in a file of its own or in the daemon's log."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.logs.log_file import LogFile
from fingerd.logs.query_lines import lines
from fingerd.model.errors import reasonOf
from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.system.privileges import Identity
from fingerd.system.threads import Threads

# Lines wait so many seconds for others to be written with...
_SECONDS = 1.0
# ...unless there are so many bytes of them.
_AT_ONCE = 64 * 1024


@implementer(IQueryLog)
class QueryLog(Service):
    """
    Logs queries. Lines are written together, once a second and when the service stops.

    A file that can't be written, since the disk is full or stuck or the file was taken away, holds
    nobody up: lines wait in memory up to a limit, and those beyond it are counted. That lines wait,
    and how many were lost, is said in the daemon's log.

    It is to be stopped when the last query has been answered.
    """

    _log = Logger()

    def __init__(
        self,
        where: str,
        reactor: IReactorTime,
        owner: Identity,
        form: str = "json",
        peers: str = "full",
        limits: Limits = DEFAULTS,
    ) -> None:
        """
        @param where: a file's path, or C{-} for the daemon's log.
        @param reactor: must be an L{IReactorFromThreads} too, as every reactor is.
        @param owner: the user that the daemon becomes.
        @param form: how a line is written: C{json} or C{text}.
        @param peers: what is told of clients: C{full}, C{masked} or C{none}.
        """
        self._name = "the daemon's log" if where == "-" else where
        self._clock = reactor
        self._stopTime = limits.stopTime
        self._most = limits.queryLogWaiting
        self._line = lines(form, peers, limits.queryLogged)
        self._to = _Log() if where == "-" else _File(where, owner, IReactorFromThreads(reactor))
        # Lines that nothing has been done with yet, and what wasn't written of the lines before.
        self._lines: list[str] = []
        self._rest = b""
        # The bytes of all that, and of what is being written.
        self._size = 0
        self._lost = 0
        self._trouble: str | None = None
        self._later: IDelayedCall | None = None
        self._writing = False
        self._reopening = False
        # The file that was open still is, though another should be: each write tries that again.
        self._staying = False
        self._stopped: Deferred[None] | None = None

    def asked(
        self, peer: str | None, door: str, query: bytes, outcome: str, size: int, seconds: float
    ) -> None:
        """See L{IQueryLog}."""
        if self._size >= self._most:
            self._lose()
            return
        line = self._line(peer, door, query, outcome, size, seconds)
        self._lines.append(line)
        self._size += len(line)
        if self._later is None or self._size >= _AT_ONCE:
            self._soon()

    def reopen(self) -> None:
        """
        Go on in the file that now has the path: what logrotate has moved away is let go. Where
        there is none and it can't be made, it goes on in the old one, and says so in the log.
        """
        self._reopening = True
        self._write()

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        self._to.open(asRoot=True)

    def startService(self) -> None:
        self._to.open(asRoot=False)
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Write what there is, in ``limits.stopTime`` at most."""
        super().stopService()
        self._stopped = Deferred()
        stopped = self._stopped.addTimeout(
            self._stopTime, self._clock, lambda result, seconds: None
        )
        self._write()
        return stopped.addCallback(self._end)

    def _soon(self) -> None:
        """See to it that what there is gets written."""
        if self._writing or not self.running:
            return
        # After trouble it is time that brings about the next try, not the next client.
        if self._size >= _AT_ONCE and self._trouble is None:
            self._write()
        elif self._later is None:
            self._later = self._clock.callLater(_SECONDS, self._write)

    def _write(self) -> None:
        if self._later is not None:
            if self._later.active():
                self._later.cancel()
            self._later = None
        if self._writing:
            return
        data = self._rest + "".join(self._lines).encode("ascii")
        self._rest, self._lines = b"", []
        reopening = self._reopening or (self._staying and data != b"")
        self._reopening = False
        if data or reopening:
            self._writing = True
            self._to.add(data, reopening).addErrback(_failed).addCallback(self._written, data)
        elif self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)

    def _written(self, written: _Written, data: bytes) -> None:
        self._writing = False
        self._size -= written.size
        self._rest = data[written.size :]
        stayed, self._staying = self._staying, written.staying is not None
        if self._staying and not stayed:
            self._log.error(
                "{path} can't be opened again ({reason}): queries are still logged to the file "
                "that was open",
                path=self._name,
                reason=written.staying,
            )
        if written.trouble is None:
            self._works()
        elif self._trouble is None:
            self._trouble = written.trouble
            self._log.error(
                "{path}: queries can't be logged ({reason}); they are answered, and as many lines "
                "as there is room for are kept for later",
                path=self._name,
                reason=written.trouble,
            )
        if self._reopening or (self._stopped is not None and self._trouble is None):
            self._write()
        elif self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)
        elif self._size:
            self._soon()

    def _lose(self) -> None:
        self._lost += 1
        if self._lost == 1:
            self._log.error(
                "{path}: too many lines wait to be written: queries are answered and not logged",
                path=self._name,
            )

    def _works(self) -> None:
        if self._trouble is not None or self._lost:
            self._log.info(
                "{path}: queries are logged again; {lost} were not",
                path=self._name,
                lost=self._lost,
            )
        self._trouble, self._lost = None, 0

    def _end(self, result: None) -> None:
        self._to.close()
        lost = self._lost + self._rest.count(b"\n") + len(self._lines)
        if self._writing or lost:
            self._log.error("{path}: some queries were not logged at the end", path=self._name)


class _Written(NamedTuple):
    """
    How many bytes need not be written any more, why the rest couldn't be, and why the file couldn't
    be opened again.
    """

    size: int
    trouble: str | None = None
    staying: str | None = None


def _failed(failure: Failure) -> _Written:
    """What comes of it when no thread can be had."""
    failure.trap(Exception)
    return _Written(0, reasonOf(failure.value))


class _File:
    """A file, written in a thread, since a disk may be stuck for any time."""

    def __init__(self, path: str, owner: Identity, reactor: IReactorFromThreads) -> None:
        self._file = LogFile(path, owner)
        self._threads = Threads(reactor, 1, 1)

    def open(self, asRoot: bool) -> None:
        self._file.open(asRoot)

    def add(self, data: bytes, reopening: bool) -> Deferred[_Written]:
        return self._threads.run(object(), partial(self._add, data, reopening))

    def close(self) -> None:
        self._threads.run(object(), self._file.close).addErrback(lambda failure: None)
        self._threads.stop()

    def _add(self, data: bytes, reopening: bool) -> _Written:
        staying = None
        if reopening:
            try:
                self._file.reopen()
            except OSError as error:
                staying = reasonOf(error)
        size, trouble = self._file.add(data)
        return _Written(size, None if trouble is None else reasonOf(trouble), staying)


class _Log:
    """
    The daemon's log. The lines of a second are one event: to make one for each query takes longer
    than to answer it. L{fingerd.logs.daemon_log} writes them as the lines that they are.
    """

    _log = Logger()

    def open(self, asRoot: bool) -> None:
        """It is open."""

    def add(self, data: bytes, reopening: bool) -> Deferred[_Written]:
        if data:
            self._log.info("{lines}", lines=data.decode("ascii").rstrip("\n"))
        return succeed(_Written(len(data)))

    def close(self) -> None:
        """It isn't closed here."""
