"""Users that a program knows, such as finger(1): the talk's process server."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
from collections.abc import Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock, DeferredSemaphore, gatherResults, succeed
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from fingerd.model.errors import DirectoryError
from fingerd.model.interfaces import IVerboseDirectory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from fingerd.system.child import Child, Output

# POSIX's portable file name characters, and nothing that is "." or ".." or an option. No system's
# logins are longer than its LOGIN_NAME_MAX, which on Linux is 256 with the end of the string.
_LOGIN = re.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")

# finger(1) says so on standard error, and ends with status 0.
_NO_SUCH_USER = re.compile(r"no such user\.?$", re.IGNORECASE)


@implementer(IVerboseDirectory)
class ProcessUsers(Service):
    """
    Asks a program, once for every query. What it writes is the user's report.

    The program is run as ``PROGRAM ARGUMENTS -- LOGIN`` for a user and as ``PROGRAM ARGUMENTS``
    for the list; the verbose option, where there is one, comes after the arguments. There is no
    shell. A login has letters, digits, ``.``, ``_`` and ``-`` only; for any other the program isn't
    run, and there is no such user. L{Child} says what the program finds when it runs. With exit
    status 0 it answers like this:

     - text in UTF-8 on standard output is the answer;
     - no text stands for "not one of mine", and "no such user" may be on standard error;
     - no text, but anything else on standard error, is a failure.

    Another exit status, death by a signal, a program that can't be run and one that takes longer
    than ``limits.programTime`` are failures. A program that writes more than
    ``limits.programOutput`` is ended, and what it wrote is the answer. Whatever it has started ends
    with it. What it writes to standard error beside an answer goes into the log.
    """

    _log = Logger()

    def __init__(
        self,
        argv: Sequence[str],
        reactor: IReactorFDSet,
        limits: Limits = DEFAULTS,
        verboseOption: str | None = None,
        label: str | None = None,
    ) -> None:
        """
        @param argv: the program's absolute path, and its arguments.
        @param reactor: must be an L{IReactorTime} too, as every reactor is.
        @param verboseOption: the option that makes it tell all there is, such as ``-l``.
        @param label: what the program's list is called among the users. By default it is called
            after the program, as no user can be.
        @raise ValueError: for what can't be run.
        """
        if not argv:
            raise ValueError("no program is named")
        if not os.path.isabs(argv[0]):
            raise ValueError(f"{argv[0]!r} is not a program's absolute path")
        if any("\0" in argument for argument in argv):
            raise ValueError("no argument can have a NUL in it")
        if "--" in argv:
            raise ValueError("the program is given '--' and the login: leave '--' out")
        self._argv = tuple(argv)
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._limits = limits
        self._verbose = () if verboseOption is None else (verboseOption,)
        self._label = label or f"the program {os.path.basename(argv[0])}"
        self._turns = DeferredSemaphore(limits.programsAtOnce)
        self._starting = DeferredLock()
        self._asked: set[Deferred[str]] = set()
        # What the log said of the program last, so that it says so once.
        self._complaint = ""

    def __str__(self) -> str:
        return shlex.join(self._argv)

    def startService(self) -> None:
        super().startService()
        if shutil.which(self._argv[0]) is None:
            self._log.warn("{program} can't be run by this daemon's user", program=self._argv[0])

    def stopService(self) -> Deferred[None]:
        """End all programs. Fires when they are gone, or after ``limits.stopTime``."""
        super().stopService()
        for asked in tuple(self._asked):
            asked.cancel()
        # Whoever has every turn knows that no program has one.
        turns = [self._turns.acquire() for _ in range(self._limits.programsAtOnce)]

        def gone(turns: list[DeferredSemaphore]) -> None:
            for turn in turns:
                turn.release()

        waiting = gatherResults(turns, consumeErrors=True).addCallback(gone)
        return waiting.addTimeout(self._limits.stopTime, self._clock, lambda _, seconds: None)

    def getUser(self, login: str) -> Deferred[User | None]:
        return self._getUser(login, ())

    def getVerboseUser(self, login: str) -> Deferred[User | None]:
        return self._getUser(login, self._verbose)

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return self._getUsers(limit, ())

    def getVerboseUsers(self, limit: int) -> Deferred[list[User]]:
        return self._getUsers(limit, self._verbose)

    def _getUser(self, login: str, options: tuple[str, ...]) -> Deferred[User | None]:
        if _LOGIN.fullmatch(login) is None:
            return succeed(None)
        asked = self._ask(*options, "--", login)
        return asked.addCallback(lambda text: User(login, report=text) if text else None)

    def _getUsers(self, limit: int, options: tuple[str, ...]) -> Deferred[list[User]]:
        if limit < 1:
            return succeed([])
        asked = self._ask(*options)
        return asked.addCallback(lambda text: [User(self._label, report=text)] if text else [])

    def _ask(self, *arguments: str) -> Deferred[str]:
        asked = Deferred.fromCoroutine(self._run((*self._argv, *arguments)))
        self._asked.add(asked)

        def done(result: object) -> object:
            self._asked.discard(asked)
            return result

        # At its deadline a query is cancelled, and its program is killed.
        asked.addTimeout(self._limits.programTime, self._clock, self._tookTooLong)
        asked.addBoth(done)
        return asked

    async def _run(self, argv: Sequence[str]) -> str:
        turns, limits = self._turns, self._limits
        if not turns.tokens and len(turns.waiting) >= limits.programsWaiting:
            raise DirectoryError(
                f"{self}: {limits.programsAtOnce} of it run already, and {len(turns.waiting)} wait"
            )
        await turns.acquire()
        try:
            child = await self._start(argv)
        except BaseException:
            turns.release()
            raise
        child.gone.addCallback(lambda _: turns.release())
        return self._answer(await child.output)

    async def _start(self, argv: Sequence[str]) -> Child:
        # In each turn of the reactor one program is started. A start may take some milliseconds on
        # a busy machine, and between two of them everything else goes on.
        await self._starting.acquire()
        self._clock.callLater(0, self._starting.release)
        try:
            return Child(argv, self._reactor, self._limits.programOutput)
        except OSError as error:
            raise DirectoryError(f"{self} can't be run: {error.strerror or error}") from None

    def _answer(self, output: Output) -> str:
        """What the program has answered: nothing where it knows nobody of that name."""
        most = self._limits.programOutput
        text = output.text[:most].decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
        complaint = "; ".join(
            line.strip()
            for line in output.errors.decode("utf-8", "replace").splitlines()
            if line.strip() and _NO_SUCH_USER.search(line) is None
        )
        saying = f", saying {complaint[: self._limits.programErrors]!r}" if complaint else ""
        if output.status:
            raise DirectoryError(f"{self} {_ending(output.status)}{saying}")
        if not text and (complaint or output.status is None):
            raise DirectoryError(f"{self} had no answer{saying}")
        if output.status is None:
            self._complain(f"wrote more than {most} bytes and was ended{saying}")
            return f"{text}\n(cut: a program writes {most} bytes at most)"
        if complaint:
            self._complain(f"answered{saying}")
        return text

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            # The program may complain in other words of each login.
            self._log.warn("{program} {complaint}", program=str(self), complaint=complaint)

    def _tookTooLong(self, result: object, seconds: float) -> str:
        raise DirectoryError(f"{self} took longer than {seconds} seconds")


def fromURL(
    rest: str, reactor: IReactorFDSet, limits: Limits = DEFAULTS, match: bool = False
) -> ProcessUsers:
    """
    The directory that ``exec:`` and ``rest`` stand for.

    A program called ``finger`` is taken for finger(1): it is given ``-m``, so that it doesn't
    match by real names, and for verbose answers ``-l``. Others get their arguments alone.

    @param rest: the program's absolute path and its arguments, quoted as for a shell:
        ``/usr/bin/finger`` or ``/opt/who --site 'Main Street'``.
    @param match: let finger(1) match by real names.
    @raise ValueError: where that makes no sense, with the reason in words.
    """
    try:
        argv = shlex.split(rest)
    except ValueError as error:
        raise ValueError(f"{rest!r} can't be split into arguments: {error}") from None
    if not argv or os.path.basename(argv[0]) != "finger":
        return ProcessUsers(argv, reactor, limits)
    if not match:
        argv.insert(1, "-m")
    return ProcessUsers(argv, reactor, limits, verboseOption="-l")


def _ending(status: int) -> str:
    """How a program ended, in words."""
    if status > 0:
        return f"ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        # A real-time signal has no name.
        return f"was ended by signal {-status}"
