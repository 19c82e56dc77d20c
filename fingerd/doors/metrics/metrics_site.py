"""What there is at the metrics door: C{/metrics} and C{/healthz}."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.http_headers import Headers

from fingerd.doors.http.refusing import ALLOW, METHODS, WORDS
from fingerd.doors.http.web_page import NEVER_KEPT, Answer, Page, page
from fingerd.doors.metrics.figures_collector import FiguresCollector
from fingerd.model.counts import Figures
from fingerd.model.interfaces import IMeasured
from fingerd.model.visiting import IVisit

_TEXT = b"text/plain; charset=utf-8"
_NO_SNIFFING = b"X-Content-Type-Options: nosniff"


class MetricsSite:
    """
    Says what was counted, and whether the daemon answers.

    @ivar visits: where visitors are let in.
    """

    _log = Logger()
    door = "metrics"

    def __init__(
        self,
        service: IMeasured,
        collector: FiguresCollector,
        registry: CollectorRegistry,
        ready: Callable[[Figures], bool],
    ) -> None:
        """
        @param service: what is measured.
        @param collector: makes metrics of that.
        @param registry: has everything that is to be shown.
        @param ready: whether the daemon answers.
        """
        self.visits = service.measurers
        self._service = service
        self._collector = collector
        self._registry = registry
        self._ready = ready
        self._refusals = {status: _text(words, status) for status, words in WORDS.items()}

    def refusal(self, status: int) -> Page:
        """What is said to what is no request."""
        return self._refusals[status]

    def answer(
        self, method: bytes, target: bytes, headers: Headers, visit: IVisit
    ) -> Answer | Deferred[Answer]:
        """What is at an address. It never fails."""
        visit.waits()
        if method not in METHODS:
            return Answer(self._refusals[405], "refused")
        path = target.partition(b"?")[0]
        if path == b"/metrics":
            return self._service.figures().addCallback(self._metrics, headers)
        if path == b"/healthz":
            return self._service.figures().addCallback(self._health)
        return Answer(self._refusals[404], "unknown")

    def _health(self, figures: Figures) -> Answer:
        if self._ready(figures):
            return Answer(_text("ready"), "found")
        return Answer(_text("not ready", 503), "failed")

    def _metrics(self, figures: Figures, headers: Headers) -> Answer:
        accepted = b",".join(headers.getRawHeaders(b"Accept", [])).decode("utf-8", "replace")
        try:
            encoder, kind = choose_encoder(accepted)
        except (ValueError, TypeError):
            # It is no version that can be understood.
            encoder, kind = choose_encoder("")
        self._collector.figures = figures
        try:
            body = encoder(self._registry)
        except Exception:
            self._log.failure("Showing the metrics")
            return Answer(self._refusals[503], "failed")
        return Answer(page(kind.encode("ascii"), body, NEVER_KEPT, _NO_SNIFFING), "found")


def _text(words: str, status: int = 200) -> Page:
    lines = (_NO_SNIFFING, ALLOW) if status == 405 else (_NO_SNIFFING,)
    return page(_TEXT, words.encode("utf-8") + b"\n", NEVER_KEPT, *lines, status=status)
