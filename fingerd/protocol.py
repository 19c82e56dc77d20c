"""The finger port: a request line in, an answer out."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure

from fingerd import answer
from fingerd.asking import Asker
from fingerd.exchange import ExchangeFactory, ExchangeProtocol
from fingerd.limits import Limits
from fingerd.query import parse


class FingerProtocol(ExchangeProtocol):
    """
    Asks what the first line asks for, and sends what comes back. A client that goes away
    before that cancels what is done for it.
    """

    _asked: Deferred[None] | None = None

    def __init__(self, factory: FingerFactory) -> None:
        ExchangeProtocol.__init__(self, factory, factory.limits.queryLength)
        self._asker = factory.asker

    def lineReceived(self, line: bytes) -> None:
        self.requestIsWhole()
        self._asked = self._asker.ask(parse(line)).addCallback(self.answer)

    def lineTooLong(self) -> None:
        self.answer(answer.encode(answer.QUERY_TOO_LONG, self.exchanges.limits.answerSize))

    def requestEnded(self) -> None:
        self.lineReceived(b"")

    def connectionLost(self, reason: Failure | None = None) -> None:
        super().connectionLost(reason)
        if self._asked is not None:
            self._asked.cancel()


class FingerFactory(ExchangeFactory):
    """
    Makes the protocols of a finger port.

    @ivar asker: what they ask.
    """

    def __init__(self, asker: Asker, limits: Limits, clock: IReactorTime) -> None:
        super().__init__(limits, clock)
        self.asker = asker

    def buildProtocol(self, addr: IAddress | None) -> FingerProtocol:
        return FingerProtocol(self)
