"""
What a reload costs: its time and memory, and what the clients see of it.

The daemon that is measured has a probe in it that wakes up every millisecond, so that the longest
time in which its reactor did nothing else can be told. Everything else is seen from outside.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import plots, servers, users
from bench.loading import Load, Loading, generator
from bench.probing import Probing
from bench.processes import below, forgetPeak, memory, own
from bench.report import Result, Table, Target
from bench.servers import Running

QUICK = {"sizes": [1000, 3000], "before": 0.2}
_NEW = "Reading"
_SAMPLE = 0.2
# To trace it, at most so long.
_TRACING = 10.0


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--formats", nargs="+", choices=users.FORMATS, default=list(users.FORMATS))
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--before", type=float, default=5.0, help="seconds of queries before it")
    parser.add_argument(
        "--pause", type=float, default=0.1, help="of clients that don't ask all the time, seconds"
    )


@dataclass(frozen=True)
class _Reload:
    """
    One reload, beside queries. Times are in seconds, memory in MB, latencies in milliseconds.

    @ivar gap: the longest in the reactor; C{work} is that on the processor's clock.
    @ivar quietGap: the same before the reload.
    @ivar unchanged: what it takes to find that nothing has changed.
    """

    seconds: float
    gap: float
    work: float
    quietGap: float
    before: Load
    during: Load
    peak: float
    besides: float

    @property
    def ratio(self) -> float:
        """How much slower the slowest hundredth of the queries is."""
        return self.during.p99 / max(self.before.p99, 0.001)


@dataclass(frozen=True)
class _Size:
    """
    All that was measured of one file.

    @ivar steady: a reload while the clients ask all the time.
    @ivar paused: one while they wait between their queries.
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
    after_: Load
    steady: _Reload
    paused: _Reload

    @property
    def faults(self) -> int:
        loads = [self.after_]
        for one in (self.steady, self.paused):
            loads += [one.before, one.during]
        return sum(load.faults for load in loads)

    @property
    def peak(self) -> float:
        return max(self.steady.peak, self.paused.peak)


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        command = generator(place)
        empty = _empty(place)
        found = {
            form: [_size(place, command, empty, form, size, arguments) for size in arguments.sizes]
            for form in arguments.formats
        }
    return _result(found, arguments)


def _empty(place: Path) -> float:
    """The memory of a daemon that knows one user."""
    path = place / "empty"
    users.write(path, 1)
    with Running(servers.ours(place, "--no-setter", f"--directory=file:{path}"), place) as daemon:
        return daemon.memory


def _size(
    place: Path,
    command: list[str],
    empty: float,
    form: str,
    count: int,
    arguments: argparse.Namespace,
) -> _Size:
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

        def reload(word: str, older: str, pause: float, age: float) -> _Reload:
            users.write(path, count, users.FORMATS[form], word, age)
            answers = [users.answer(users.FORMATS[form], text) for text in (word, older)]
            return _reload(command, daemon, probe, range(count), answers, pause, arguments)

        steady = reload(_NEW, "Writing", 0, 50)
        after = daemon.memory
        new = _ask(command, daemon, count, form, arguments, queries=500, word=_NEW)
        paused = reload("Writing", _NEW, arguments.pause, 40)
        unchanged = min(probe.ask("reload") for _ in range(20))
        stats = _traced(daemon, probe, folder)
        return _Size(
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
) -> _Reload:
    def load(answers: list[str]) -> Loading:
        return Loading(command, daemon.port, arguments.clients, asked, *answers, pause=pause)

    probe.ask("begin")
    asking = load(answers[1:])
    time.sleep(arguments.before)
    before = asking.stop()
    quiet = probe.ask("end")
    forgetPeak(daemon.pid)
    with _besides(daemon.pid) as besides:
        # Old answers are right until the new ones are.
        asking = load(answers)
        probe.ask("begin")
        seconds = probe.ask("reload")
        gaps = probe.ask("end")
        during = asking.stop()
    peak = memory(daemon.pid, "VmHWM")
    return _Reload(
        seconds, gaps["gap"], gaps["work"], quiet["gap"], before, during, peak, max(besides)
    )


@contextmanager
def _besides(pid: int) -> Iterator[list[float]]:
    """Meanwhile, now and then: the memory of the processes below this one, in MB."""
    sizes, over = [0.0], threading.Event()

    def sample() -> None:
        while not over.wait(_SAMPLE):
            # One may just have ended.
            with suppress(OSError):
                sizes.append(sum(map(own, below(pid))))

    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield sizes
    finally:
        over.set()
        sampling.join()


def _traced(daemon: Running, probe: Probing, folder: Path) -> int | None:
    """How many calls about files an unchanged file costs; None where that can't be traced."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    traced = folder / "traced"
    command = [strace, "-qq", "-e", "trace=%file", "-o", traced, "-p", str(daemon.pid)]
    tracing = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + _TRACING
        while tracing.poll() is None and not _isTraced(daemon.pid):
            if time.monotonic() > end:
                return None
            time.sleep(0.01)
        if tracing.poll() is not None:
            return None
        probe.ask("reload")
    finally:
        with suppress(ProcessLookupError):
            tracing.send_signal(signal.SIGINT)
        tracing.wait()
    return len(traced.read_text().splitlines())


def _isTraced(pid: int) -> bool:
    with open(f"/proc/{pid}/status") as file:
        return any(line.startswith("TracerPid:") and int(line.split()[1]) for line in file)


def _result(found: dict[str, list[_Size]], arguments: argparse.Namespace) -> Result:
    everything = [(form, size) for form, sizes in found.items() for size in sizes]
    targets: list[Target] = []
    for form, sizes in found.items():
        size = max(sizes, key=lambda size: size.count)
        of = f"{size.count:,} users, `{form}:`"
        one = size.steady
        targets += [
            Target(f"longest gap in the reactor, {of}", one.gap * 1e3, 25, " ms"),
            Target(f"99th percentile of the latency, {of}: to that before", one.ratio, 3),
            Target(f"peak memory, {of}: to that when loaded", size.peak / size.loaded, 2),
        ]
        if size.stats is not None:
            targets.append(Target(f"calls about files if unchanged, {of}", size.stats, 1))

    def plot(path: Path) -> None:
        _plot(path, found)

    return Result(
        "reload",
        "What a reload costs",
        f"The daemon with a probe in it, which wakes up every millisecond; nothing is pinned. "
        f"{arguments.clients} clients ask for {arguments.before:g} seconds before the reload and "
        "as long as it takes; first all the time, then (paused) each waits "
        f"{arguments.pause * 1e3:g} ms between its queries. The gap is the longest time in which "
        "the reactor did nothing else, from before the file is opened until the old users' memory "
        "is freed; (work) is how much of it the daemon itself had the processor, which leaves out "
        "what a busy machine adds. Besides is the memory of the process that reads `toml:`.",
        [
            Table(_HEAD, [_row(form, size) for form, size in everything]),
            Table(_SEEN, [row for form, size in everything for row in _seen(form, size)]),
        ],
        targets,
        {form: [_figures(size) for size in sizes] for form, sizes in found.items()},
        sum(size.faults for _, size in everything),
        plot,
    )


def _figures(size: _Size) -> dict[str, Any]:
    return asdict(size)


_HEAD = (
    "users",
    "file",
    "exec to first answer",
    "reload",
    "unchanged file",
    "memory: loaded, after, peak; besides",
    "peak to loaded",
)


def _row(form: str, size: _Size) -> list[str]:
    calls = "" if size.stats is None else f", {size.stats} call{'' if size.stats == 1 else 's'}"
    return [
        f"{size.count:,}",
        f"`{form}:`, {size.bytes / 1e6:.1f} MB",
        f"{size.loading:.2f} s",
        f"{size.steady.seconds:.2f} s, paused {size.paused.seconds:.2f} s",
        f"{size.unchanged * 1e6:.0f} µs{calls}",
        f"{size.loaded:.0f}, {size.after:.0f}, {size.peak:.0f} MB; {size.steady.besides:.0f} MB",
        f"{size.peak / size.loaded:.2f}",
    ]


_SEEN = (
    "users",
    "clients ask",
    "gap (work)",
    "gap before",
    "p99 before",
    "p99 meanwhile",
    "ratio",
    "queries/s before, meanwhile",
)


def _seen(form: str, size: _Size) -> Iterator[list[str]]:
    for name, one in (("all the time", size.steady), ("paused", size.paused)):
        yield [
            f"{size.count:,} `{form}:`",
            name,
            f"{one.gap * 1e3:.1f} ms ({one.work * 1e3:.1f})",
            f"{one.quietGap * 1e3:.1f} ms",
            f"{one.before.p99:.1f} ms",
            f"{one.during.p99:.1f} ms",
            f"{one.ratio:.2f}",
            f"{one.before.rate:,.0f}, {one.during.rate:,.0f}",
        ]


def _plot(path: Path, found: dict[str, list[_Size]]) -> None:
    times, memories = {}, {}
    for form, sizes in found.items():
        times[f"{form}: first load"] = [(size.count, size.loading) for size in sizes]
        times[f"{form}: reload"] = [(size.count, size.steady.seconds) for size in sizes]
        memories[f"{form}: loaded"] = [(size.count, size.loaded) for size in sizes]
        memories[f"{form}: peak of a reload"] = [(size.count, size.peak) for size in sizes]
    panels = {"seconds": times, "MB": memories}
    plots.lines(path, "A file with users: time and memory", "users", panels)
