"""
What was counted, as Prometheus wants it.

prometheus-client's own counters take a lock and a dictionary lookup or two for each number. Here
the daemon's plain numbers become metrics when they are asked for, and only then.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

import twisted
from fingerd.model.counts import Counts, Figures, Times

_DIRECTORY = ("directory", "kind")


class FiguresCollector(Collector):
    """
    Makes metrics of figures.

    A directory is called by its number, from 1 in the order in which directories are asked, and by
    its kind: what else it is called may have somebody's name or a host's address in it.

    @ivar figures: the latest.
    """

    figures: Figures | None = None

    def __init__(self, kinds: Sequence[str], ready: Callable[[Figures], bool]) -> None:
        """
        @param kinds: what kind each directory is of, in a word, as far as that is known.
        @param ready: whether the daemon answers.
        """
        self._kinds = kinds
        self._ready = ready
        # Now, while the code can be read.
        self._version = _version()

    def collect(self) -> Iterator[Metric]:
        """All metrics, where there are figures."""
        figures = self.figures
        if figures is None:
            return
        yield from _ofQueries(figures.counts)
        yield from _ofConnections(figures)
        yield from self._ofDirectories(figures)
        yield _histogram("fingerd_reactor_lag_seconds", "How late timers were.", {(): figures.lag})
        ready = "Whether all ports are open and all that is read at the start was."
        yield GaugeMetricFamily("fingerd_ready", ready, int(self._ready(figures)))
        build = {
            "version": self._version,
            "python": platform.python_version(),
            "twisted": twisted.__version__,
        }
        yield InfoMetricFamily("fingerd_build", "Which versions these are.", build)

    def _ofDirectories(self, figures: Figures) -> Iterator[Metric]:
        lookups = CounterMetricFamily(
            "fingerd_directory_lookups",
            "Lookups and lists: answered, failed, or ended by the client or by the time they took.",
            labels=(*_DIRECTORY, "outcome"),
        )
        users = GaugeMetricFamily(
            "fingerd_directory_users", "Users, where that is known at once.", labels=_DIRECTORY
        )
        reloads = CounterMetricFamily(
            "fingerd_directory_reloads", "Copies that were taken over.", labels=_DIRECTORY
        )
        failures = CounterMetricFamily(
            "fingerd_directory_reload_failures",
            "Times when a copy couldn't be read.",
            labels=_DIRECTORY,
        )
        failing = GaugeMetricFamily(
            "fingerd_directory_reload_failing",
            "Whether the copy is an old one, since a newer one can't be read.",
            labels=_DIRECTORY,
        )
        read = GaugeMetricFamily(
            "fingerd_directory_reload_timestamp_seconds",
            "When the copy was taken over.",
            labels=_DIRECTORY,
        )
        each = zip(figures.counts.lookups, figures.users, figures.readings, strict=True)
        for number, (asked, count, readings) in enumerate(each, 1):
            labels = [str(number), self._kind(number)]
            lookups.add_metric([*labels, "answered"], asked.answered)
            lookups.add_metric([*labels, "failed"], asked.failed)
            lookups.add_metric([*labels, "ended"], asked.ended)
            if count is not None:
                users.add_metric(labels, count)
            if readings is not None:
                reloads.add_metric(labels, readings.done)
                failures.add_metric(labels, readings.failed)
                failing.add_metric(labels, readings.trouble is not None)
                if readings.at is not None:
                    read.add_metric(labels, readings.at)
        yield from (lookups, users, reloads, failures, failing, read)

    def _kind(self, number: int) -> str:
        return self._kinds[number - 1] if number <= len(self._kinds) else ""


def _version() -> str:
    try:
        return version("fingerd")
    except PackageNotFoundError:
        return "not installed"


def _ofQueries(counts: Counts) -> Iterator[Metric]:
    queries = CounterMetricFamily(
        "fingerd_queries", "Queries and settings that are over.", labels=("door", "outcome")
    )
    byDoor: dict[tuple[str, ...], Times] = defaultdict(Times)
    for (door, outcome), times in sorted(counts.queries.items()):
        queries.add_metric([door, outcome], sum(times.numbers))
        byDoor[(door,)].merge(times)
    yield queries
    yield _histogram(
        "fingerd_query_duration_seconds",
        "From the client's coming, or its next request, to its answer.",
        byDoor,
        "door",
    )
    refusals = CounterMetricFamily(
        "fingerd_refusals", "Clients that came to a limit.", labels=("limit",)
    )
    for limit, count in counts.refusals.items():
        refusals.add_metric([limit], count)
    yield refusals
    statuses = CounterMetricFamily(
        "fingerd_statuses", "Statuses that were to be set, or cleared.", labels=("outcome",)
    )
    for outcome, count in counts.settings.items():
        statuses.add_metric([outcome], count)
    yield statuses


def _ofConnections(figures: Figures) -> Iterator[Metric]:
    connections = GaugeMetricFamily(
        "fingerd_connections", "Connections that are open.", labels=("door",)
    )
    for door, count in sorted(figures.connections.items()):
        connections.add_metric([door], count)
    yield connections
    most = GaugeMetricFamily(
        "fingerd_connections_limit", "How many there may be.", labels=("limit",)
    )
    for limit, count in figures.most.items():
        most.add_metric([limit], count)
    yield most


def _histogram(
    name: str, words: str, all: dict[tuple[str, ...], Times], *labels: str
) -> HistogramMetricFamily:
    histogram = HistogramMetricFamily(name, words, labels=labels)
    for values, times in all.items():
        buckets = []
        total = 0
        for bound, number in zip((*times.bounds, "+Inf"), times.numbers, strict=True):
            total += number
            buckets.append((str(bound), total))
        histogram.add_metric(values, buckets, times.seconds)
    return histogram
