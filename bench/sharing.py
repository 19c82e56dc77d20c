"""
What it costs to keep statuses in PostgreSQL: how many a second are safe, beside SQLite, and how
long it takes until what was set at one daemon shows at another.

In each round clients set statuses at a daemon with either. Then a client sets them one by one at a
daemon with PostgreSQL, and asks another daemon for each until it shows: while nobody else sets any,
and while the others do.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from bench import servers, users
from bench.cluster import Cluster
from bench.loading import Load, Loading, generator
from bench.machine import fileSystem
from bench.processes import freePort
from bench.report import Result, Spread, Table, Target
from bench.servers import Running, ask
from bench.statuses import SETTING

QUICK = {"rounds": 1, "settings": 200, "users": 1000, "delays": 3}
_SQLITE, _POSTGRESQL = "SQLite", "PostgreSQL"
_QUIET, _BUSY = "nobody else sets", "the others set"
# What shows after this time never will.
_LONGEST = 60.0


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--settings", type=int, default=5000, help="in a round")
    parser.add_argument("--setters", type=int, default=64)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--delays", type=int, default=200, help="statuses whose way is timed")
    parser.add_argument(
        "--disk", type=Path, default=Path("/var/tmp"), help="a folder on the disk to write to"
    )


class _Daemon:
    """A daemon, and what its setter's clients get."""

    def __init__(self, state: str, folder: Path, path: Path, running: ExitStack) -> None:
        self.setter = freePort()
        server = servers.ours(
            folder,
            f"--directory=file:{path}",
            f"--state={state}",
            f"--setter=tcp:{self.setter}:interface=127.0.0.1",
        )
        self._running = running.enter_context(Running(server, folder))
        self.port = self._running.port

    def load(self, command: list[str], arguments: argparse.Namespace, settings: int) -> Loading:
        """Clients that set so many, or set until they are stopped, if 0."""
        return Loading(
            command,
            self.setter,
            arguments.setters,
            # The last is set one by one.
            range(arguments.users - 1),
            "OK\r\n",
            queries=settings,
            query=SETTING,
        )


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(dir=arguments.disk)))
        path = folder / "users"
        users.write(path, arguments.users)
        command = generator(folder)
        cluster = running.enter_context(Cluster(arguments.disk))
        sqlite = _Daemon(str(folder / "state"), folder, path, running)
        one = _Daemon(cluster.url, folder, path, running)
        rounds: dict[str, list[Load]] = {_SQLITE: [], _POSTGRESQL: []}
        # The first round is to warm up.
        for number in range(arguments.rounds + 1):
            for name, daemon in random.sample([(_SQLITE, sqlite), (_POSTGRESQL, one)], 2):
                done = daemon.load(command, arguments, arguments.settings).result()
                if number:
                    rounds[name].append(done)
        two = _Daemon(cluster.url, folder, path, running)
        delays = {_QUIET: _delays(one, two, arguments)}
        setting = one.load(command, arguments, 0)
        delays[_BUSY] = _delays(one, two, arguments)
        others = setting.stop()
    return _result(rounds, delays, others, arguments)


def _delays(one: _Daemon, two: _Daemon, arguments: argparse.Namespace) -> list[float]:
    """How long after C{OK} from C{one} each of some statuses shows at C{two}, in seconds."""
    login = f"user{arguments.users - 1:07}"
    found = []
    for number in range(arguments.delays):
        status = f"{time.time()} {number}"
        said = ask(one.setter, f"{login}\n{status}\n".encode())
        began = time.perf_counter()
        if said != b"OK\r\n":
            raise RuntimeError(f"a status was not set: {said!r}")
        while status.encode() not in ask(two.port, f"{login}\r\n".encode()):
            if time.perf_counter() - began > _LONGEST:
                raise RuntimeError("a status that was set doesn't show")
        found.append(time.perf_counter() - began)
    return found


def _result(
    rounds: dict[str, list[Load]],
    delays: dict[str, list[float]],
    others: Load,
    arguments: argparse.Namespace,
) -> Result:
    rates = {name: Spread.of([one.rate for one in some]) for name, some in rounds.items()}
    ratio = Spread.of(
        [
            mine.rate / other.rate
            for mine, other in zip(rounds[_POSTGRESQL], rounds[_SQLITE], strict=True)
        ]
    )
    slowest = max(_p99(some) for some in delays.values())
    return Result(
        "sharing",
        "Statuses in PostgreSQL",
        f"{arguments.setters} clients set {arguments.settings:,} statuses in each of "
        f"{arguments.rounds} rounds, by TCP, at a daemon with SQLite and at one with PostgreSQL as "
        "it is set up by default, on this machine and on "
        f"{fileSystem(arguments.disk)}. Then another daemon shares that, {arguments.delays} are "
        "set one by one, and it is asked for each. Medians and quartiles of the rounds.",
        [
            Table(
                ("", "acknowledged a second", "to set one: p50, p99"),
                [
                    [name, rates[name].words(0), f"{_ms(some, 'p50')}, {_ms(some, 'p99')} ms"]
                    for name, some in rounds.items()
                ]
                + [["ratio", ratio.words(2), ""]],
            ),
            Table(
                ("from OK to visible at the other daemon", "median, ms", "p99, ms", "most, ms"),
                [
                    [
                        f"{name} ({others.rate:,.0f} a second)" if name == _BUSY else name,
                        f"{1e3 * statistics.median(some):.1f}",
                        f"{1e3 * _p99(some):.1f}",
                        f"{1e3 * max(some):.1f}",
                    ]
                    for name, some in delays.items()
                ],
            ),
        ],
        [
            Target(
                "statuses acknowledged a second, PostgreSQL",
                rates[_POSTGRESQL].median,
                2000,
                atLeast=True,
            ),
            Target("99th percentile from OK to visible", 1e3 * slowest, 1000, " ms"),
        ],
        {
            "rounds": {name: [asdict(one) for one in some] for name, some in rounds.items()},
            "delays": delays,
        },
        sum(one.faults for some in rounds.values() for one in some) + others.faults,
    )


def _p99(delays: list[float]) -> float:
    return sorted(delays)[max(0, round(0.99 * len(delays)) - 1)]


def _ms(rounds: list[Load], which: str) -> str:
    return f"{statistics.median(getattr(one, which) for one in rounds):.1f}"
