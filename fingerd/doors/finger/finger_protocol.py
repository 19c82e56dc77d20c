"""The finger port: a request line in, an answer out."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure

from fingerd.doors.net.exchange import ExchangeFactory, ExchangeProtocol
from fingerd.model import texts
from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import Limits
from fingerd.model.outcome import Answer, Said
from fingerd.model.query import parse
from fingerd.service.admission import Admission
from fingerd.service.asking import Asker
from fingerd.service.rates import Rates
from fingerd.system.addresses import hostOf


class FingerProtocol(ExchangeProtocol):
    """
    Asks what the first line asks for, and sends what comes back. A client that goes away
    before that cancels what is done for it.
    """

    exchanges: FingerFactory
    # What was asked, and what will have the answer.
    _line = b""
    _asked: Deferred[None] | None = None
    _logged = False

    def __init__(self, factory: FingerFactory, host: str | None) -> None:
        ExchangeProtocol.__init__(self, factory, factory.limits.queryLength, host)

    def connectionMade(self) -> None:
        self._began = self.exchanges.clock.seconds() if self.since is None else self.since
        super().connectionMade()

    def lineReceived(self, line: bytes) -> None:
        self.requestIsWhole()
        self.await_(line, self.exchanges.ask(self.peer, line))

    def await_(self, line: bytes, asked: Deferred[Answer]) -> None:
        """
        Send the answer when it is there.

        @param line: the request, which is whole.
        @param asked: what has the answer, or will have it.
        """
        self._line = line
        self._asked = asked.addCallback(self._send)

    def lineTooLong(self, line: bytes) -> None:
        self._line = line.partition(b"\n")[0]
        self._send(self.exchanges.asker.answer(Said(texts.QUERY_TOO_LONG, "too-long")))

    def requestEnded(self) -> None:
        self.lineReceived(b"")

    def connectionLost(self, reason: Failure | None = None) -> None:
        asked = self._asked
        waiting = asked is not None and not asked.called
        if waiting:
            # Now: when the last connection is closed, the log may be too.
            self._log(Answer(b"", "gone"))
        super().connectionLost(reason)
        if asked is not None and waiting:
            # Not now: what is cancelled may close a descriptor of its own, whose number another
            # may get while the reactor still has an event for it in hand.
            self.exchanges.clock.callLater(0, asked.cancel)

    def _send(self, answer: Answer) -> None:
        self._log(Answer(b"", "gone") if self._over else answer)
        self.answer(answer.data)

    def _log(self, answer: Answer) -> None:
        if not self._logged:
            self._logged = True
            self.exchanges.answered(self.host, self._line, answer, self._began)


class FingerFactory(ExchangeFactory):
    """
    Makes the protocols of a finger port.

    @ivar asker: what they ask.
    """

    def __init__(
        self,
        asker: Asker,
        limits: Limits,
        clock: IReactorTime,
        admission: Admission,
        rates: Rates,
        log: IQueryLog | None = None,
        door: str = "tcp",
    ) -> None:
        """
        @param rates: how often a peer may ask.
        @param log: where queries are logged, if they are.
        @param door: what the port is called there.
        """
        super().__init__(limits, clock, admission)
        self.asker = asker
        self._rates = rates
        self._log = log
        self._door = door
        self._tooMany = asker.answer(Said(texts.TOO_MANY_QUERIES, "limited"))

    def buildProtocol(self, addr: IAddress | None) -> FingerProtocol:
        return FingerProtocol(self, hostOf(addr))

    def ask(self, peer: str | None, line: bytes) -> Deferred[Answer]:
        """
        The answer to a request line, as L{Asker.ask} gives it, unless ``peer`` has asked too often.
        """
        if peer is not None and not self._rates.take(peer, self.clock.seconds()):
            return succeed(self._tooMany)
        return self.asker.ask(parse(line))

    def askUser(self, peer: str, login: str) -> Deferred[Answer]:
        """As L{ask}, where the line is nothing but a login."""
        if not self._rates.take(peer, self.clock.seconds()):
            return succeed(self._tooMany)
        return self.asker.askUser(login)

    def answered(self, host: str | None, line: bytes, answer: Answer, began: float) -> None:
        """
        A request was answered, or its client has gone.

        @param began: when the connection did, in seconds by the reactor's clock.
        """
        if self._log is not None:
            seconds = self.clock.seconds() - began
            self._log.asked(host, self._door, line, answer.outcome, len(answer.data), seconds)
