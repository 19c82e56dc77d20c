"""The finger port: a request line in, an answer out."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure

from fingerd.doors.net.exchange import ExchangeFactory, ExchangeProtocol
from fingerd.doors.plain import answer
from fingerd.doors.plain.encoding import encode
from fingerd.model.interfaces import IFingerService
from fingerd.model.limits import Limits
from fingerd.model.query import TOO_LONG, Query, parse
from fingerd.model.reply import Reply
from fingerd.system.addresses import hostOf
from fingerd.system.sharing import Shared
from fingerd.system.slices import inSlices

__all__ = ["FingerFactory"]


class FingerProtocol(ExchangeProtocol):
    """
    Asks the service what the first line asks for, and sends what the service says. Where the client
    goes away before that, the work done for it is cancelled.
    """

    exchanges: FingerFactory
    _asked: Deferred[Any] | None = None

    def __init__(self, factory: FingerFactory, host: str | None) -> None:
        ExchangeProtocol.__init__(self, factory, factory.limits.queryLength, host)

    def lineReceived(self, line: bytes) -> None:
        self.requestIsWhole()
        self._ask(parse(line), line)

    def lineTooLong(self, line: bytes) -> None:
        self._ask(TOO_LONG, line.partition(b"\n")[0])

    def requestEnded(self) -> None:
        self.lineReceived(b"")

    def connectionLost(self, reason: Failure | None = None) -> None:
        super().connectionLost(reason)
        asked = self._asked
        if asked is not None and not asked.called:
            # Not now: what is cancelled may close a descriptor of its own, whose number another
            # may get while the reactor still has an event for it in hand.
            self.exchanges.clock.callLater(0, asked.cancel)

    def _ask(self, query: Query, line: bytes) -> None:
        if self.visit is not None:
            self.visit.line = line
            asked = self.exchanges.service.ask(query, self.visit)
            self._asked = asked.addCallback(self._send).addErrback(self.failed)

    def _send(self, reply: Reply) -> Deferred[None] | None:
        if reply.outcome == "list":
            listed = self.exchanges.renderList(reply)
            return listed.addCallback(self.answer, reply.outcome)
        self.answer(self.exchanges.render(reply), reply.outcome)
        return None


class FingerFactory(ExchangeFactory):
    """
    Makes the protocols of a finger port.

    @ivar service: what they ask.
    """

    def __init__(self, service: IFingerService, limits: Limits, clock: IReactorTime) -> None:
        """
        @param clock: the reactor.
        """
        super().__init__(service.visits, limits, clock)
        self.service = service
        self._making: Shared[Reply, bytes] = Shared(clock)

    def buildProtocol(self, addr: IAddress | None) -> FingerProtocol:
        return FingerProtocol(self, hostOf(addr))

    def render(self, reply: Reply) -> bytes:
        """The bytes that say what C{reply} does, which is no list."""
        return encode(answer.of(reply, self.limits.answerSize), self.limits.answerSize)

    def renderList(self, reply: Reply) -> Deferred[bytes]:
        """The bytes of a list, which are made once, while others have their turns."""
        if reply.rendered is not None:
            return succeed(reply.rendered)
        return self._making.get(reply, lambda: Deferred.fromCoroutine(self._list(reply)))

    async def _list(self, reply: Reply) -> bytes:
        size = self.limits.answerSize
        text = await inSlices(answer.ofList(reply, size), self.clock)
        reply.rendered = encode(text, size)
        return reply.rendered
