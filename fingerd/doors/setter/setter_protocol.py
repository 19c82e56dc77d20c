"""
The setter port: a user and a status in, C{OK} or what was wrong out.

Two lines, as in C{printf 'moshez\\nHappy and well\\n' | nc localhost 1079}, three, or the longer
form: see L{fingerd.doors.setter.grammar}. The last is a line also where the client closes its
sending side without a line end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, ITransport
from twisted.python.failure import Failure

from fingerd.doors.net.exchange import ExchangeFactory, ExchangeProtocol
from fingerd.doors.plain.encoding import encode
from fingerd.doors.setter import grammar, owner
from fingerd.doors.setter.performing import perform
from fingerd.model.errors import SettingRefused
from fingerd.model.interfaces import IFingerSetterService
from fingerd.model.limits import Limits
from fingerd.model.record import Change, Setter
from fingerd.model.reply import Outcome
from fingerd.system.addresses import hostOf, isLocal

OK = "OK"
TWO_LINES = "Two lines are needed: the user, then the status"
THREE_LINES = "Three lines are needed: the user and a 3, the status, and how long it lasts"
NOT_LOCAL = "Not set: a status is set from this machine only, by way of localhost"


class FingerSetterProtocol(ExchangeProtocol):
    """
    Hands the request on, with who is asking, and answers when the status is safe. A client that
    goes away once it has sent its lines has set its status all the same.
    """

    exchanges: FingerSetterFactory
    _by: Setter

    def __init__(self, factory: FingerSetterFactory, host: str | None) -> None:
        ExchangeProtocol.__init__(self, factory, factory.limits.setterLineLength, host)
        self._lines: list[bytes] = []
        self._needed = 2

    def connectionMade(self) -> None:
        local = isLocal(self.transport.getPeer())
        # The owner is asked for now: once the client has gone, it can't be told any more.
        uid = self.exchanges.owner(self.transport) if local else None
        self._by = Setter(uid, None, owner.where(self.transport))
        if local:
            self.peer = self._by.account
        super().connectionMade()
        if not local and self._isPresent():
            self.requestIsWhole()
            self._refuse(NOT_LOCAL)

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) == 1:
            self._needed = grammar.linesOf(line)
            self.MAX_LENGTH = grammar.lengthOf(line, self.exchanges.limits)
        if len(self._lines) == self._needed:
            self.requestIsWhole()
            self._read()

    def lineTooLong(self, line: bytes) -> None:
        self._refuse(f"Not set: a line has {self.MAX_LENGTH} bytes at most")

    def requestEnded(self) -> None:
        self.requestIsWhole()
        self._refuse(TWO_LINES if self._needed == 2 else THREE_LINES)

    def _read(self) -> None:
        try:
            wanted = grammar.parse(self._lines)
        except ValueError as error:
            self._refuse(f"Not set: {error}")
            return
        if self.visit is not None:
            self.visit.waits()
        done: Deferred[Any]
        if wanted.verb is None:
            change = Change(wanted.text, wanted.seconds)
            done = self.exchanges.service.set(wanted.login, change, self._by)
            done.addCallback(lambda _: ())
        else:
            done = Deferred.fromCoroutine(perform(self.exchanges.service, wanted, self._by))
        done.addCallbacks(self._done, self._notSet).addErrback(self.failed)

    def _done(self, told: Sequence[str]) -> None:
        self._say("\n".join([OK, *told]), "set")

    def _notSet(self, failure: Failure) -> None:
        failure.trap(SettingRefused)
        self._say(failure.getErrorMessage(), "refused")

    def _refuse(self, text: str) -> None:
        self.exchanges.service.refused(self._by, text)
        self._say(text, "refused")

    def _say(self, text: str, outcome: Outcome) -> None:
        self.answer(encode(text, self.exchanges.limits.answerSize), outcome)


class FingerSetterFactory(ExchangeFactory):
    """
    Makes the protocols of a setter port.

    @ivar service: where they set statuses.
    @ivar owner: which user is at the other end of a connection, by uid.
    """

    def __init__(
        self,
        service: IFingerSetterService,
        limits: Limits,
        clock: IReactorTime,
        owner: Callable[[ITransport], int | None] = owner.owner,
    ) -> None:
        """
        @param clock: the reactor.
        """
        super().__init__(service.setters, limits, clock)
        self.service = service
        self.owner = owner

    def doorOf(self, host: str | None) -> str:
        """What the door is called where settings are counted."""
        return "setter"

    def buildProtocol(self, addr: IAddress | None) -> FingerSetterProtocol:
        return FingerSetterProtocol(self, hostOf(addr))
