"""
What it costs to set statuses: how many a second are safe on disk, beside queries.

In each round clients set statuses and others ask; then plain SQLite writes as many in commits of
the same sizes.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import servers, users
from bench.loading import Load, Loading, generator
from bench.machine import fileSystem
from bench.probing import Probing
from bench.processes import freePort
from bench.report import Result, Spread, Table, Target
from bench.servers import Running

QUICK = {"rounds": 1, "settings": 200, "users": 1000}
SETTING = "user%1$07u\nStep %1$u of it is done, and the next one is on its way\n"
_TEMPORARY = ("tmpfs", "ramfs", "overlay")


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--settings", type=int, default=10_000, help="in a round")
    parser.add_argument("--setters", type=int, default=64)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--pause", type=float, default=0.1, help="of a client, in seconds")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument(
        "--disk", type=Path, default=Path("/var/tmp"), help="a folder on the disk to write to"
    )


@dataclass(frozen=True)
class _Round:
    """
    One round. Rates are acknowledged statuses a second.

    @ivar batches: how many were written in each commit.
    @ivar cost: the daemon's processor time for each, with the queries beside, in seconds.
    """

    setting: Load
    asking: Load
    batches: list[int]
    plain: float
    cost: float

    @property
    def ratio(self) -> float:
        """The rate to that of plain SQLite."""
        return self.setting.rate / self.plain


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say."""
    with tempfile.TemporaryDirectory(dir=arguments.disk) as name:
        folder = Path(name)
        path = folder / "users"
        users.write(path, arguments.users)
        command = generator(folder)
        setter = freePort()
        server = servers.probed(
            folder,
            f"--directory=file:{path}",
            f"--state={folder / 'state'}",
            f"--setter=tcp:{setter}:interface=127.0.0.1",
        )
        with Running(server, folder) as daemon, Probing(folder) as probe:
            rounds = []
            # The first round is to warm up.
            for number in range(arguments.rounds + 1):
                probe.ask("batches")
                before = daemon.cpu
                asking, setting = _load(command, daemon.port, setter, arguments)
                cost = (daemon.cpu - before) / max(setting.right, 1)
                batches = probe.ask("batches")
                plain = _plain(folder / f"plain-{number}.sqlite", batches)
                if number:
                    rounds.append(_Round(setting, asking, batches, plain, cost))
    return _result(rounds, fileSystem(arguments.disk), arguments)


def _load(
    command: list[str], port: int, setter: int, arguments: argparse.Namespace
) -> tuple[Load, Load]:
    """What came of the queries, and of the settings beside them."""
    # Nobody who sets a status is asked for: it would be another answer.
    half = arguments.users // 2
    asking = Loading(
        command,
        port,
        arguments.clients,
        range(half, arguments.users),
        users.answer(),
        pause=arguments.pause,
    )
    setting = Loading(
        command,
        setter,
        arguments.setters,
        range(half),
        "OK\r\n",
        queries=arguments.settings,
        query=SETTING,
    ).result()
    return asking.stop(), setting


def _plain(path: Path, batches: list[int]) -> float:
    """How many statuses a second SQLite itself keeps, in commits of these sizes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        # The log is on the disk before a commit returns, as for the daemon.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE statuses (id INTEGER PRIMARY KEY, login TEXT, status TEXT, "
            "set_at REAL, set_by TEXT, until REAL)"
        )
        began = time.perf_counter()
        for size in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO statuses (login, status, set_at, set_by, until) "
                "VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        f"user{n:07}",
                        f"Step {n} of it is done, and the next one is on its way",
                        time.time(),
                        "root",
                        None,
                    )
                    for n in range(size)
                ],
            )
            connection.execute("COMMIT")
        return sum(batches) / (time.perf_counter() - began)


def _result(rounds: list[_Round], disk: str, arguments: argparse.Namespace) -> Result:
    rate = Spread.of([one.setting.rate for one in rounds])
    plain = Spread.of([one.plain for one in rounds])
    ratio = Spread.of([one.ratio for one in rounds])
    cost = Spread.of([one.cost * 1e6 for one in rounds])
    slowest = max(one.asking.p99 for one in rounds)
    batches = [size for one in rounds for size in one.batches]
    note = f" (**{disk} is no disk**)" if disk in _TEMPORARY else ""
    return Result(
        "statuses",
        "What it costs to set statuses",
        f"{arguments.setters} clients set {arguments.settings:,} statuses in each of "
        f"{arguments.rounds} rounds, on {disk}{note}, and {arguments.clients} clients that wait "
        f"{arguments.pause * 1e3:g} ms between their queries ask beside them. Then plain SQLite "
        "(write-ahead log, synchronous=FULL, one table without an index) writes as many rows in "
        "commits of the same sizes. Medians and quartiles of the rounds.",
        [
            Table(
                ("", ""),
                [
                    ["acknowledged a second", rate.words(0)],
                    ["plain SQLite, the same commits, a second", plain.words(0)],
                    ["ratio", ratio.words(2)],
                    [
                        "statuses in a commit: mean, most",
                        f"{statistics.mean(batches):.1f}, {max(batches)}",
                    ],
                    ["µs of the processor for each", cost.words(0)],
                    [
                        "to set one: p50, p99",
                        f"{_middle(rounds, 'p50'):.1f}, {_middle(rounds, 'p99'):.1f} ms",
                    ],
                    [
                        "queries beside them: p99, slowest",
                        f"{slowest:.1f}, {max(one.asking.max for one in rounds):.1f} ms",
                    ],
                ],
            )
        ],
        [
            Target("statuses acknowledged a second", rate.median, 2000, atLeast=True),
            Target(
                "or: the rate to that of plain SQLite with the same commits",
                ratio.median,
                0.5,
                atLeast=True,
            ),
            Target("99th percentile of queries beside them, worst round", slowest, 50, " ms"),
        ],
        {"file system": disk, "rounds": [asdict(one) for one in rounds]},
        sum(one.setting.faults + one.asking.faults for one in rounds),
    )


def _middle(rounds: list[_Round], field: str) -> float:
    return float(statistics.median(getattr(one.setting, field) for one in rounds))
