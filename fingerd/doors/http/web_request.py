"""One HTTP request: from its headers to the answer's bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.http import Request

from fingerd.doors.http.web_page import Answer, notModified

if TYPE_CHECKING:
    from fingerd.doors.http.web_channel import WebChannel


class WebRequest(Request):
    """
    Asks the site for a page, and sends it. A client that goes away cancels what is done for it.
    """

    channel: WebChannel
    _asked: Deferred[None] | None = None

    def gotLength(self, length: int | None) -> None:
        """There is no body: nothing is kept for one."""

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is whole."""
        self.method, self.uri, self.clientproto = command, path, version
        self.process()

    def process(self) -> None:
        channel = self.channel
        visit = channel.visit
        if visit is None or not visit.present:
            return
        visit.line = b"%b %b" % (self.method, self.uri)
        factory = channel.factory
        if factory.isBalancer(channel.address) and visit.host is None:
            host = factory.clientOf(self.requestHeaders, channel.address)
            # The next request on this connection may be somebody else's.
            channel.persistent = False
            if host is not None and not visit.arrived(host):
                visit.close()
                return
        answer = factory.site.answer(self.method, self.uri, self.requestHeaders, visit)
        if isinstance(answer, Deferred):
            self._asked = answer.addCallback(self._send).addErrback(self._failed)
            return
        try:
            self._send(answer)
        except Exception:
            self._failed(Failure())

    def connectionLost(self, reason: Failure) -> None:
        asked = self._asked
        if asked is not None and not asked.called:
            # Not now: see FingerProtocol.connectionLost.
            self.channel.factory.clock.callLater(0, asked.cancel)
        super().connectionLost(reason)

    def _send(self, answer: Answer) -> None:
        # Where the client has gone, there is none.
        channel: WebChannel | None = self.channel
        visit = None if channel is None else channel.visit
        if visit is None:
            return
        page = answer.page
        cached = page.status == 200 and notModified(self.requestHeaders, page)
        factory = self.channel.factory
        head = factory.head(page, cached, self.channel.persistent)
        body = b"" if cached or self.method == b"HEAD" else page.body
        if visit.answered(answer.outcome, len(body), len(head) + len(body)):
            self.channel.write(head + body)
            # It is: Twisted has nothing to add.
            self.startedWriting = 1
            self.finish()

    def _failed(self, failure: Failure) -> None:
        """An answer can't be sent, which is nothing that was foreseen."""
        self._log.failure("Sending a page", failure)
        if self.channel is not None and self.channel.visit is not None:
            self.channel.visit.close()
