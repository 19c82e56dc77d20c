"""
What a reload costs: its time and memory, and what the clients see of it.

The daemon that is measured has a probe in it that wakes up every millisecond, so that the longest
time in which its reactor did nothing else can be told. Everything else is seen from outside.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bench import plots, users
from bench.loading import generator
from bench.reloading import Reload, Size, emptyDaemon, measureFile
from bench.report import Result, Table, Target

QUICK = {"sizes": [1000, 3000], "before": 0.2}


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--formats", nargs="+", choices=users.FORMATS, default=list(users.FORMATS))
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--before", type=float, default=5.0, help="seconds of queries before it")
    parser.add_argument(
        "--most", type=float, default=120.0, help="seconds of queries beside one reload"
    )
    parser.add_argument(
        "--pause", type=float, default=0.1, help="of clients that don't ask all the time, seconds"
    )


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        command = generator(place)
        empty = emptyDaemon(place)
        found = {
            form: [
                measureFile(place, command, empty, form, size, arguments)
                for size in _sizes(form, arguments)
            ]
            for form in arguments.formats
        }
    return _result(found, arguments)


def _sizes(form: str, arguments: argparse.Namespace) -> list[int]:
    return sorted({min(size, users.FORMATS[form].most) for size in arguments.sizes})


def _result(found: dict[str, list[Size]], arguments: argparse.Namespace) -> Result:
    everything = [(form, size) for form, sizes in found.items() for size in sizes]
    targets: list[Target] = []
    for form, sizes in found.items():
        size = max(sizes, key=lambda size: size.count)
        of = f"{size.count:,} users, `{form}:`"
        one = size.steady
        latency = f"99th percentile of the latency, {of}, clients ask"
        targets += [
            Target(f"longest gap in the reactor, {of}", one.gap * 1e3, 25, " ms"),
            Target(f"{latency} all the time: to that before", one.ratio, 3),
            Target(f"{latency} and pause: to that before", size.paused.ratio, 3),
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
        "what a busy machine adds.",
        [
            Table(_HEAD, [_row(form, size) for form, size in everything]),
            Table(_SEEN, [row for form, size in everything for row in _seen(form, size)]),
        ],
        targets,
        {form: [asdict(size) for size in sizes] for form, sizes in found.items()},
        sum(size.faults for _, size in everything),
        plot,
    )


_HEAD = (
    "users",
    "file",
    "exec to first answer",
    "reload",
    "unchanged file",
    "memory: loaded, after, peak",
    "peak to loaded (without an empty daemon's)",
)


def _row(form: str, size: Size) -> list[str]:
    calls = "" if size.stats is None else f", {size.stats} call{'' if size.stats == 1 else 's'}"
    return [
        f"{size.count:,}",
        f"`{form}:`, {size.bytes / 1e6:.1f} MB",
        f"{size.loading:.2f} s",
        f"{_seconds(size.steady)}, paused {_seconds(size.paused)}",
        f"{size.unchanged * 1e6:.0f} µs{calls}",
        f"{size.loaded:.0f}, {size.after:.0f}, {size.peak:.0f} MB",
        f"{size.peak / size.loaded:.2f} ({size.tables:.2f})",
    ]


def _seconds(one: Reload) -> str:
    return f"{one.seconds:.2f} s{' (the queries ended before)' if one.cut else ''}"


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


def _seen(form: str, size: Size) -> Iterator[list[str]]:
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


def _plot(path: Path, found: dict[str, list[Size]]) -> None:
    times, memories = {}, {}
    for form, sizes in found.items():
        times[f"{form}: first load"] = [(size.count, size.loading) for size in sizes]
        times[f"{form}: reload"] = [(size.count, size.steady.seconds) for size in sizes]
        memories[f"{form}: loaded"] = [(size.count, size.loaded) for size in sizes]
        memories[f"{form}: peak of a reload"] = [(size.count, size.peak) for size in sizes]
    panels = {"seconds": times, "MB": memories}
    plots.lines(path, "A file with users: time and memory", "users", panels)
