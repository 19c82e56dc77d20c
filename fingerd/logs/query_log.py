"""The query log: a line for each query, in a file of its own or in the daemon's log."""

from __future__ import annotations

from itertools import starmap
from time import time

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from fingerd.logs.log_file import LogFile
from fingerd.logs.query_lines import lines
from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.system.privileges import Identity

# Lines wait so many seconds for others to be written with, unless there are so many of them.
_SECONDS = 1.0
_AT_ONCE = 500


@implementer(IQueryLog)
class QueryLog(Service):
    """
    Logs queries. Lines are written together, once a second and when the service stops.

    A file that can't be written, since the disk is full or stuck or the file was taken away, holds
    nobody up: lines wait in memory, C{limits.queryLogWaiting} bytes of them, and further lines are
    counted and lost. The daemon's log says that lines wait, and how many were lost.

    The service is to be stopped when the last query has been answered.
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
        self._to: LogFile | _DaemonLog = (
            _DaemonLog(self)
            if where == "-"
            else LogFile(where, owner, IReactorFromThreads(reactor), self)
        )
        # What is to be logged: when that was, and the rest.
        self._asked: list[tuple[float, str | None, str, bytes, str, int, float]] = []
        # The bytes of lines that were handed on and aren't written yet.
        self._waiting = 0
        self._lost = 0
        self._troubled = False
        self._staying = False
        self._later: IDelayedCall | None = None

    def asked(
        self, peer: str | None, door: str, query: bytes, outcome: str, size: int, seconds: float
    ) -> None:
        """See L{IQueryLog}."""
        self._asked.append((time(), peer, door, query, outcome, size, seconds))
        if self._later is None:
            self._later = self._clock.callLater(_SECONDS, self._handOn)
        elif len(self._asked) >= _AT_ONCE:
            self._handOn()

    def reopen(self) -> None:
        """
        Go on in the file that now has the path: what logrotate has moved away is let go. Where
        there is none and it can't be made, lines go on into the old one, and the log says so.
        """
        self._staying = False
        self._to.reopen()
        self._handOn()

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        self._to.open(asRoot=True)

    def startService(self) -> None:
        self._to.open(asRoot=False)
        self._to.start()
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Write what there is, in ``limits.stopTime`` at most."""
        super().stopService()
        self._handOn()
        stopped = self._to.stop()
        stopped.addTimeout(self._stopTime, self._clock, lambda result, seconds: None)
        return stopped.addCallback(self._end)

    def written(self, size: int) -> None:
        """So many bytes of lines needn't wait any more."""
        self._waiting -= size
        if self._troubled or self._lost:
            self._log.info(
                "{path}: queries are logged again; {lost} were not",
                path=self._name,
                lost=self._lost,
            )
        self._troubled, self._lost = False, 0

    def failed(self, reason: str) -> None:
        """Lines can't be written now."""
        if not self._troubled:
            self._troubled = True
            self._log.error(
                "{path}: queries can't be logged ({reason}); they are answered, and as many lines "
                "as there is room for are kept for later",
                path=self._name,
                reason=reason,
            )

    def stays(self, reason: str) -> None:
        """The file can't be opened again."""
        if not self._staying:
            self._staying = True
            self._log.error(
                "{path} can't be opened again ({reason}): queries are still logged to the file "
                "that was open",
                path=self._name,
                reason=reason,
            )

    def _handOn(self) -> None:
        if self._later is not None:
            if self._later.active():
                self._later.cancel()
            self._later = None
        if self._asked:
            kept = []
            # Many lines in one go take a third of the time that they take one by one.
            for line in starmap(self._line, self._asked):
                if self._waiting < self._most:
                    kept.append(line)
                    self._waiting += len(line)
                else:
                    self._lose()
            self._asked = []
            self._to.write("".join(kept).encode("ascii"))

    def _lose(self) -> None:
        self._lost += 1
        if self._lost == 1:
            self._log.error(
                "{path}: too many lines wait to be written: queries are answered and not logged",
                path=self._name,
            )

    def _end(self, result: None) -> None:
        if self._waiting or self._lost:
            self._log.error("{path}: some queries were not logged at the end", path=self._name)


class _DaemonLog:
    """
    The daemon's log. The lines of a second are one event: to make one for each query takes longer
    than to answer it. L{fingerd.logs.daemon_log} writes them as the lines that they are.
    """

    _log = Logger()

    def __init__(self, told: QueryLog) -> None:
        self._told = told

    def open(self, asRoot: bool) -> None:
        """It is open."""

    def start(self) -> None:
        """It needs no thread."""

    def write(self, data: bytes) -> None:
        self._log.info("{lines}", lines=data.decode("ascii").rstrip("\n"))
        self._told.written(len(data))

    def reopen(self) -> None:
        """L{fingerd.logs.daemon_log} does that."""

    def stop(self) -> Deferred[None]:
        return succeed(None)
