"""Reloading one file of users beside queries."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from bench import servers, users
from bench.loading import Load, Loading
from bench.probing import Probing
from bench.processes import forgetPeak, memory
from bench.servers import Running
from bench.watching import callsAboutFiles

_NEW = "Reading"


@dataclass(frozen=True)
class Reload:
    """
    One reload, beside queries. Times are in seconds, memory in MB, latencies in milliseconds.

    @ivar cut: whether the queries ended before the reload, which took too long.
    @ivar gap: the longest in the reactor; C{work} is that on the processor's clock, and C{workAt}
        when that was over, from the beginning.
    @ivar quietGap: the same before the reload.
    """

    seconds: float
    cut: bool
    gap: float
    work: float
    workAt: float
    quietGap: float
    before: Load
    during: Load
    peak: float

    @property
    def ratio(self) -> float:
        """How much slower the slowest hundredth of the queries is."""
        return self.during.p99 / max(self.before.p99, 0.001)


@dataclass(frozen=True)
class Size:
    """
    All that was measured of one file.

    @ivar steady: a reload while the clients ask all the time.
    @ivar paused: one while they wait between their queries.
    @ivar unchanged: what it takes to find that nothing has changed.
    @ivar stats: calls of the system about files for an unchanged file; None if not traced.
    """

    count: int
    bytes: int
    loading: float
    empty: float
    loaded: float
    after: float
    unchanged: float
    stats: int | None
    fresh: Load
    steady: Reload
    paused: Reload

    @property
    def faults(self) -> int:
        loads = [self.fresh]
        for one in (self.steady, self.paused):
            loads += [one.before, one.during]
        return sum(load.faults for load in loads)

    @property
    def peak(self) -> float:
        return max(self.steady.peak, self.paused.peak)

    @property
    def tables(self) -> float:
        """The peak to what is loaded, both without what an empty daemon has."""
        return (self.peak - self.empty) / max(self.loaded - self.empty, 1)


def emptyDaemon(place: Path) -> float:
    """The memory of a daemon that knows one user."""
    path = place / "empty"
    users.write(path, 1)
    with Running(servers.ours(place, "--no-setter", f"--directory=file:{path}"), place) as daemon:
        return daemon.memory


def measureFile(
    place: Path,
    command: list[str],
    empty: float,
    form: str,
    count: int,
    arguments: argparse.Namespace,
) -> Size:
    """
    Measure a daemon with a file of so many users.

    @param place: a folder, in which this makes its own.
    @param command: see L{generator<bench.loading.generator>}.
    @param empty: the memory of a daemon without users, in MB.
    @param arguments: what was chosen on the command line: see L{bench.reload.options}.
    """
    folder = place / f"{form}-{count}"
    folder.mkdir()
    path = folder / "users"
    users.write(path, count, users.FORMATS[form])
    server = servers.probed(folder, "--no-setter", f"--directory={form}:{path}", "--reload=86400")
    began = time.perf_counter()
    with Running(server, folder) as daemon, Probing(folder) as probe:
        loading = time.perf_counter() - began
        # What a first query makes.
        _ask(command, daemon, count, form, arguments, queries=500)
        loaded = daemon.memory

        def reload(word: str, older: str, pause: float, age: float) -> Reload:
            users.write(path, count, users.FORMATS[form], word, age)
            answers = [users.answer(users.FORMATS[form], text) for text in (word, older)]
            return _reload(command, daemon, probe, range(count), answers, pause, arguments)

        steady = reload(_NEW, "Writing", 0, 50)
        after = daemon.memory
        new = _ask(command, daemon, count, form, arguments, queries=500, word=_NEW)
        paused = reload("Writing", _NEW, arguments.pause, 40)
        unchanged = min(probe.ask("reload") for _ in range(20))
        stats = callsAboutFiles(daemon.pid, folder, lambda: probe.ask("reload"))
        return Size(
            count,
            path.stat().st_size,
            loading,
            empty,
            loaded,
            after,
            unchanged,
            stats,
            new,
            steady,
            paused,
        )


def _ask(
    command: list[str],
    daemon: Running,
    count: int,
    form: str,
    arguments: argparse.Namespace,
    queries: int,
    word: str = "Writing",
) -> Load:
    right = users.answer(users.FORMATS[form], word)
    clients = arguments.clients
    return Loading(command, daemon.port, clients, range(count), right, queries=queries).result()


def _reload(
    command: list[str],
    daemon: Running,
    probe: Probing,
    asked: range,
    answers: list[str],
    pause: float,
    arguments: argparse.Namespace,
) -> Reload:
    def load(answers: list[str]) -> Loading:
        return Loading(command, daemon.port, arguments.clients, asked, *answers, pause=pause)

    probe.ask("begin")
    asking = load(answers[1:])
    time.sleep(arguments.before)
    before = asking.stop()
    quiet = probe.ask("end")
    forgetPeak(daemon.pid)
    # Old answers are right until the new ones are.
    asking = load(answers)
    probe.ask("begin")
    probe.tell("reload")
    cut = not probe.answers(arguments.most)
    if cut:
        during = asking.stop()
    seconds = probe.hear()
    gaps = probe.ask("end")
    if not cut:
        during = asking.stop()
    peak = memory(daemon.pid, "VmHWM")
    return Reload(
        seconds,
        cut,
        gaps["gap"],
        gaps["work"],
        gaps["at"],
        quiet["gap"],
        before,
        during,
        peak,
    )
