"""
What a query costs: the server's own processor time, beside that of other servers.

All servers run at once, and in each round each of them answers in turn, so that what a shared
machine does to one it does to all. What counts is the ratio to the talk's server in the same round.

What users meet comes first: clients whose query arrives some time after they have connected, as
over a network. On one machine it can also be there when the server accepts.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from bench import plots, servers, users
from bench.loading import Load, Loading, generator
from bench.processes import cores
from bench.report import Result, Spread, Table, Target
from bench.servers import OURS, RAW, TALKS, TALKS_LOGGED, C, Running, Server

QUICK = {"rounds": 2, "queries": 300, "clients": [8], "users": 1000}
# About a minute: enough to see what a change is worth, where it is worth something.
BRIEF = {"rounds": 6, "queries": 2000}
_MICRO = 1e6


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--queries", type=int, default=5000, help="to each server in a round")
    parser.add_argument("--clients", type=int, nargs="+", default=[32, 256])
    parser.add_argument(
        "--apart",
        type=float,
        default=20.0,
        help="milliseconds between connection and query, as over a network; 0 for at once only",
    )
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--brief", action="store_true", help="a minute, for a first impression")
    parser.add_argument("--addresses", type=int, default=4, help="loopback addresses of clients")


@dataclass(frozen=True)
class _Round:
    """The server's processor time for a query, in seconds, and what its clients saw."""

    cost: float
    load: Load


class _Asking(NamedTuple):
    """How many clients ask, and how many milliseconds after they have connected."""

    clients: int
    apart: float = 0

    def __str__(self) -> str:
        later = f", query {self.apart:g} ms after connection" if self.apart else ""
        return f"{self.clients} clients{later}"


_Rounds = dict[_Asking, dict[str, list[_Round]]]


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        path = folder / "users"
        users.write(path, arguments.users)
        command = generator(folder)
        started = [
            running.enter_context(Running(server, folder, cores()[0]))
            for server in _servers(folder, path, arguments.brief)
        ]
        times = [arguments.apart, 0] if arguments.apart else [0]
        asking = [_Asking(clients, apart) for apart in times for clients in arguments.clients]
        rounds: _Rounds = {}
        for clients in asking:
            rounds[clients] = {server.name: [] for server in started}
            # The first round is to warm up.
            for number in range(arguments.rounds + 1):
                for server in random.sample(started, len(started)):
                    done = _round(server, command, clients, arguments)
                    if number:
                        rounds[clients][server.name].append(done)
    return _result(rounds, arguments)


def _servers(folder: Path, path: Path, brief: bool) -> list[Server]:
    found = [
        servers.ours(folder, "--no-setter", f"--directory=file:{path}"),
        servers.talks(folder, path),
        servers.raw(path),
    ]
    if brief:
        return found
    found.append(servers.talks(folder, path, logged=True))
    least = servers.inC(folder, path)
    return found if least is None else [*found, least]


def _round(
    server: Running, command: list[str], asking: _Asking, arguments: argparse.Namespace
) -> _Round:
    queries = arguments.queries
    if asking.apart:
        # A second at most: the time goes by, whatever the server does.
        queries = min(queries, round(1000 * asking.clients / asking.apart))
    before = server.cpu
    load = Loading(
        command,
        server.port,
        asking.clients,
        range(arguments.users),
        users.answer(),
        queries=queries,
        addresses=arguments.addresses,
        delay=asking.apart / 1000,
    ).result()
    return _Round((server.cpu - before) / max(load.right, 1), load)


def _result(rounds: _Rounds, arguments: argparse.Namespace) -> Result:
    known = next(iter(rounds.values()))
    names = [name for name in (OURS, TALKS, TALKS_LOGGED, RAW, C) if name in known]
    ratios = {
        clients: {name: _ratios(done[name], done[TALKS]) for name in names}
        for clients, done in rounds.items()
    }
    tables, targets = [], []
    for clients, done in rounds.items():
        rows = [_row(name, done[name], ratios[clients][name]) for name in names]
        tables.append(Table(_head(clients), rows))
        cost = f"processor time per query, {clients}: to the talk's server"
        ratio = ratios[clients][OURS].median
        targets += [Target(cost, ratio, 0.68), Target(f"{cost}, the aim", ratio, 0.60)]
        if TALKS_LOGGED in done:
            logged = _ratios(done[OURS], done[TALKS_LOGGED])
            targets.append(Target(f"{cost} with twisted.logger", logged.median, 0.40))

    def plot(path: Path) -> None:
        plots.bars(
            path,
            "Processor time of the server per query, to that of the talk's server",
            names,
            {
                str(clients): [
                    (spread.low, spread.median, spread.high) for spread in found.values()
                ]
                for clients, found in ratios.items()
            },
            "median and quartiles of the rounds; less is better",
        )

    everyone = [one for done in rounds.values() for many in done.values() for one in many]
    return Result(
        "queries",
        "What a query costs",
        f"Processor time (user and system) of the server's process per right answer: "
        f"{arguments.users:,} users, one lookup a connection, every answer checked, "
        f"{arguments.rounds} rounds of {arguments.queries:,} queries to each server in turn, from "
        f"{arguments.addresses} loopback addresses. The server has one core and its clients have "
        "another, where there are two. Where clients ask some time after they have connected, as "
        "they do over a network, they come one after the other, there is nothing to be read yet "
        "when a connection is made, and a round has no more queries than fit into a second or so. "
        "Otherwise each client asks at once, and again as soon as it has its answer. Medians and "
        "quartiles of the rounds; latencies are the clients', from connect (or the later query) "
        "to the answer's end; busy is the share of the time for which the load generator had "
        "work.",
        tables,
        targets,
        {
            str(clients): {
                name: {
                    "ratio": asdict(ratios[clients][name]),
                    "rounds": [asdict(one) for one in many],
                }
                for name, many in done.items()
            }
            for clients, done in rounds.items()
        },
        sum(one.load.faults for one in everyone),
        plot,
    )


def _ratios(ours: list[_Round], others: list[_Round]) -> Spread:
    return Spread.of([a.cost / b.cost for a, b in zip(ours, others, strict=True)])


def _head(clients: _Asking) -> list[str]:
    return [
        str(clients),
        "µs a query",
        "to the talk's",
        "queries/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "busy",
    ]


def _row(name: str, rounds: list[_Round], ratio: Spread) -> list[str]:
    loads = [one.load for one in rounds]

    def middle(field: str) -> float:
        return float(statistics.median(getattr(load, field) for load in loads))

    return [
        name,
        Spread.of([one.cost * _MICRO for one in rounds]).words(1),
        ratio.words(2),
        f"{middle('rate'):,.0f}",
        f"{middle('p50'):.1f}",
        f"{middle('p99'):.1f}",
        f"{max(load.max for load in loads):.1f}",
        f"{middle('busy'):.2f}",
    ]
