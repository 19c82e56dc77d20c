"""
The setter port: a user and a status in, ``OK`` or what was wrong out.

Two lines, as in ``printf 'moshez\\nHappy and well\\n' | nc localhost 1079``, or three: see
L{fingerd.doors.setter.grammar}. The last is a line also where the client closes its sending side
without a line end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, ITransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd.doors.finger import answer
from fingerd.doors.net.exchange import ExchangeFactory, ExchangeProtocol
from fingerd.doors.setter import grammar, owner
from fingerd.logs import audit
from fingerd.logs.failures import Failures
from fingerd.model.errors import DirectoryError, SettingRefused
from fingerd.model.interfaces import IFingerSetterService
from fingerd.model.limits import Limits
from fingerd.model.record import Setter
from fingerd.service.admission import Admission
from fingerd.system.addresses import hostOf, isLocal
from fingerd.system.logins import Accounts

OK = "OK"
TWO_LINES = "Two lines are needed: the user, then the status"
THREE_LINES = "Three lines are needed: the user and a 3, the status, and how long it lasts"
NOT_LOCAL = "Not set: a status is set from this machine only, by way of localhost"


class FingerSetterProtocol(ExchangeProtocol):
    """
    Hands the request on, with who is asking, and answers when the status is safe. A client that
    goes away once it has sent its lines has set its status all the same.
    """

    log = Logger()
    _by: Setter

    def __init__(self, factory: FingerSetterFactory, host: str | None) -> None:
        ExchangeProtocol.__init__(self, factory, factory.limits.setterLineLength, host)
        self._factory = factory
        self._lines: list[bytes] = []
        self._needed = 2

    def connectionMade(self) -> None:
        super().connectionMade()
        if self._over:
            return
        local = isLocal(self.transport.getPeer())
        # Now, since of a client that has gone nothing can be told any more.
        uid = self._factory.owner(self.transport) if local else None
        self._by = Setter(uid, None, owner.where(self.transport))
        if not local:
            self.requestIsWhole()
            self._refuse(NOT_LOCAL)

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) == 1:
            self._needed = grammar.linesOf(line)
        elif len(self._lines) == self._needed:
            self.requestIsWhole()
            self._read()

    def lineTooLong(self, line: bytes) -> None:
        self._refuse(f"Not set: a line has {self.MAX_LENGTH} bytes at most")

    def requestEnded(self) -> None:
        self.requestIsWhole()
        self._refuse(TWO_LINES if self._needed == 2 else THREE_LINES)

    def _read(self) -> None:
        try:
            wanted = grammar.parse(self._lines, self._factory.limits.statusTime)
        except ValueError as error:
            self._refuse(f"Not set: {error}")
        else:
            asked = Deferred.fromCoroutine(self._set(wanted))
            asked.addErrback(self._failed, wanted.login).addCallback(self._say)

    async def _set(self, wanted: grammar.Setting) -> str:
        factory = self._factory
        until = None if wanted.seconds is None else factory.now() + wanted.seconds
        by = self._by
        if by.uid is not None:
            looking = factory.loginOf(by.uid)
            # Mostly it is known, and needs no timer.
            if not looking.called:
                looking.addTimeout(factory.limits.lookupTime, factory.clock, self._notTold)
            by = replace(by, login=await looking)
        try:
            await factory.service.setUser(wanted.login, wanted.text, by, until)
        except SettingRefused as refusal:
            audit.refused(by, wanted.login, str(refusal))
            return str(refusal)
        return OK

    def _notTold(self, result: object, seconds: float) -> Failure:
        return Failure(
            DirectoryError(f"no login for uid {self._by.uid} from the system in {seconds} seconds")
        )

    def _failed(self, failure: Failure, login: str) -> str:
        return self._factory.failures.internalError(failure, f"setting the status of {login!r}")

    def _refuse(self, text: str) -> None:
        audit.refused(self._by, None, text)
        self._say(text)

    def _say(self, text: str) -> None:
        self.answer(answer.encode(text, self.exchanges.limits.answerSize))


class FingerSetterFactory(ExchangeFactory):
    """
    Makes the protocols of a setter port.

    @ivar service: where they set statuses.
    @ivar failures: where they say why something failed.
    """

    def __init__(
        self,
        service: IFingerSetterService,
        limits: Limits,
        clock: IReactorTime,
        admission: Admission,
        *,
        owner: Callable[[ITransport], int | None] = owner.owner,
        loginOf: Callable[[int], Deferred[str | None]] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        @param clock: the reactor.
        @param owner: which user is at the other end of a connection, by uid.
        @param loginOf: the login of a uid; asked of the system, if there is none.
        @param now: the time, in seconds since the epoch.
        """
        super().__init__(limits, clock, admission)
        self.service = service
        self.owner = owner
        self._accounts = Accounts(clock, limits=limits)
        self.loginOf = self._accounts.loginOf if loginOf is None else loginOf
        self.now = now
        self.failures = Failures(FingerSetterProtocol.log, limits, clock)

    def buildProtocol(self, addr: IAddress | None) -> FingerSetterProtocol:
        return FingerSetterProtocol(self, hostOf(addr))

    def drain(self) -> Deferred[None]:
        """As in L{ExchangeFactory}; after that nobody's login is looked up any more."""
        return super().drain().addCallback(lambda _: self._accounts.stop())
