"""
The setter port: a user and a status in, ``OK`` or what was wrong out.

Two lines, as in ``printf 'moshez\\nHappy and well\\n' | nc localhost 1079``. The second is a line
also where the client closes its sending side without a line end.
"""

from __future__ import annotations

import re

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd import answer
from fingerd.addresses import isLocal
from fingerd.exchange import ExchangeFactory, ExchangeProtocol
from fingerd.failing import internalError
from fingerd.interfaces import IFingerSetterService, SettingRefused
from fingerd.limits import Limits

OK = "OK"
TWO_LINES = "Two lines are needed: the user, then the status"
NOT_UTF8 = "Not set: a status is UTF-8 text"
CONTROL_CHARACTERS = "Not set: a status has no control characters"
NOT_LOCAL = "Not set: a status is set from this machine only"

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class FingerSetterProtocol(ExchangeProtocol):
    """
    Hands the two lines on, and answers when the status is safe. A client that goes away once
    it has sent them has set its status all the same.
    """

    _log = Logger()

    def __init__(self, factory: FingerSetterFactory) -> None:
        ExchangeProtocol.__init__(self, factory, factory.limits.setterLineLength)
        self._service = factory.service
        self._lines: list[bytes] = []

    def connectionMade(self) -> None:
        super().connectionMade()
        if not isLocal(self.transport.getPeer()):
            self.requestIsWhole()
            self._say(NOT_LOCAL)

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) == 2:
            self.requestIsWhole()
            self._set(*self._lines)

    def lineTooLong(self) -> None:
        self._say(f"Not set: a line has {self.MAX_LENGTH} bytes at most")

    def requestEnded(self) -> None:
        self.requestIsWhole()
        self._say(TWO_LINES)

    def _set(self, user: bytes, status: bytes) -> None:
        try:
            login, text = user.decode("utf-8").strip(" \t"), status.decode("utf-8").strip(" \t")
        except UnicodeDecodeError:
            return self._say(NOT_UTF8)
        if _CONTROL.search(login) or _CONTROL.search(text):
            return self._say(CONTROL_CHARACTERS)
        setting: Deferred[None] = maybeDeferred(self._service.setUser, login, text)
        setting.addCallback(lambda _: OK).addErrback(self._failed, login).addCallback(self._say)
        return None

    def _failed(self, failure: Failure, login: str) -> str:
        if failure.check(SettingRefused):
            return failure.getErrorMessage()
        return internalError(self._log, failure, f"setting the status of {login!r}")

    def _say(self, text: str) -> None:
        self.answer(answer.encode(text, self.exchanges.limits.answerSize))


class FingerSetterFactory(ExchangeFactory):
    """
    Makes the protocols of a setter port.

    @ivar service: where they set statuses.
    """

    def __init__(self, service: IFingerSetterService, limits: Limits, clock: IReactorTime) -> None:
        super().__init__(limits, clock)
        self.service = service

    def buildProtocol(self, addr: IAddress | None) -> FingerSetterProtocol:
        return FingerSetterProtocol(self)
