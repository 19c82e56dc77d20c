"""
What several workers cost and bring: the processor time of a query, the rate, and how even they are.

One daemon is a process, the others have two workers and four. All run at once, and in each round
each of them answers in turn; what counts is the ratio to the one process in the same round. The
time is that of all their processes, the parent's too.
"""

from __future__ import annotations

import argparse
import random
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from bench import servers, users
from bench.loading import Load, Loading, generator
from bench.processes import allowDescriptors, children, cores, cpuTime, descriptors
from bench.report import Result, Spread, Table, Target
from bench.servers import Running

QUICK = {"rounds": 2, "queries": 300, "clients": [8], "held": 40, "users": 1000}
_MICRO = 1e6
_COUNTS = (1, 2, 4)
_LINGERING = 10
# Seconds between connection and query.
_KINDS = {"query at once": 0.0, "query 20 ms after connection": 0.02}


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--queries", type=int, default=2000, help="to each daemon in a round")
    parser.add_argument("--clients", type=int, nargs="+", default=[32, 256])
    parser.add_argument(
        "--one-core", action="store_true", help="all daemons share a core, and clients have another"
    )
    parser.add_argument("--held", type=int, default=800, help="connections that are held open")
    parser.add_argument("--users", type=int, default=10_000)


@dataclass(frozen=True)
class _Round:
    """
    The processor time of a query in all processes, in seconds, what each worker had of it, and what
    the clients saw.
    """

    cost: float
    each: list[float]
    load: Load


_Rounds = dict[int, list[_Round]]


class _Daemon:
    """A daemon with so many workers."""

    def __init__(
        self, count: int, folder: Path, path: Path, running: ExitStack, core: int | None
    ) -> None:
        """
        @param path: its file of users.
        @param core: the only one that it runs on, if there is one.
        """
        server = servers.ours(
            folder, "--no-setter", f"--directory=file:{path}", f"--workers={count}"
        )
        self.count = count
        self._running = running.enter_context(Running(server, folder, core))
        self.port = self._running.port
        while len(children(self._running.pid)) < (count if count > 1 else 0):
            time.sleep(0.01)
        self.workers = children(self._running.pid) or [self._running.pid]
        self.processes = {self._running.pid, *self.workers}

    def round(
        self, command: list[str], wanted: argparse.Namespace, clients: int, delay: float
    ) -> _Round:
        """Let it answer, as many queries as fit into a second at most."""
        queries = wanted.queries
        if delay:
            queries = min(queries, round(clients / delay))
        before = {pid: cpuTime(pid) for pid in self.processes}
        load = Loading(
            *(command, self.port, clients, range(wanted.users), users.answer()),
            queries=queries,
            delay=delay,
        ).result()
        taken = {pid: cpuTime(pid) - before[pid] for pid in self.processes}
        cost = sum(taken.values()) / max(load.right, 1)
        return _Round(cost, [taken[pid] for pid in self.workers], load)

    def held(self, count: int) -> list[int]:
        """Hold so many connections, and say how many of them each worker has."""
        before = [descriptors(pid) for pid in self.workers]
        with ExitStack() as clients:
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", self.port), 60)
                clients.enter_context(closing(client))
                # So that they are accepted at once.
                client.sendall(b"user")
            while True:
                found = [descriptors(pid) for pid in self.workers]
                has = [now - was for now, was in zip(found, before, strict=True)]
                # What lingers of the clients before may be counted at first, and end then.
                if sum(has) >= count - _LINGERING:
                    return has
                time.sleep(0.01)


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say."""
    allowDescriptors(2 * arguments.held + 200)
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        path = folder / "users"
        users.write(path, arguments.users)
        command = generator(folder)
        core = cores()[0] if arguments.one_core else None
        daemons = [_Daemon(count, folder, path, running, core) for count in _COUNTS]
        # First, while nobody else has been there.
        held = {daemon.count: daemon.held(arguments.held) for daemon in daemons[1:]}
        kinds: dict[str, _Rounds] = {}
        for clients, (kind, delay) in product(arguments.clients, _KINDS.items()):
            rounds = kinds[f"{clients} clients, {kind}"] = {count: [] for count in _COUNTS}
            # The first round is to warm up.
            for number in range(arguments.rounds + 1):
                for daemon in random.sample(daemons, len(daemons)):
                    done = daemon.round(command, arguments, clients, delay)
                    if number:
                        rounds[daemon.count].append(done)
    return _result(kinds, held, arguments)


def _result(
    kinds: dict[str, _Rounds], held: dict[int, list[int]], arguments: argparse.Namespace
) -> Result:
    tables, targets = [], []
    for kind, rounds in kinds.items():
        ratios = {count: _ratios(rounds[count], rounds[1]) for count in _COUNTS}
        rows = [_row(count, rounds[count], ratios[count]) for count in _COUNTS]
        tables.append(
            Table([kind, "µs a query", "to one process", "queries/s", "p99 ms", "shares"], rows)
        )
        cost = f"processor time of a query, 2 workers to one process, {kind}"
        targets.append(Target(cost, ratios[2].median, 1.05))
    tables.append(
        Table(
            [f"{arguments.held} held connections", "of each worker"],
            [[f"{count} workers", ", ".join(map(str, sorted(has)))] for count, has in held.items()],
        )
    )
    everyone = [one for rounds in kinds.values() for many in rounds.values() for one in many]
    return Result(
        "workers",
        "What several workers cost",
        f"Processor time (user and system) of all processes per right answer: {arguments.users:,} "
        f"users, {arguments.rounds} rounds of {arguments.queries:,} queries to each daemon in "
        f"turn. The daemons run on {'one core' if arguments.one_core else 'any core'}, and the "
        "clients on the last. Shares are the parts of the processor time that the busiest and "
        "the idlest worker had, medians of the rounds.",
        tables,
        targets,
        {
            "rounds": {
                kind: {str(count): [asdict(one) for one in many] for count, many in rounds.items()}
                for kind, rounds in kinds.items()
            },
            "held": {str(count): has for count, has in held.items()},
        },
        sum(one.load.faults for one in everyone),
    )


def _ratios(some: list[_Round], others: list[_Round]) -> Spread:
    return Spread.of([a.cost / b.cost for a, b in zip(some, others, strict=True)])


def _row(count: int, rounds: list[_Round], ratio: Spread) -> list[str]:
    shares = [sorted(each / sum(one.each) for each in one.each) for one in rounds]
    return [
        f"{count} workers" if count > 1 else "one process",
        Spread.of([one.cost * _MICRO for one in rounds]).words(1),
        ratio.words(2),
        f"{statistics.median(one.load.rate for one in rounds):,.0f}",
        f"{statistics.median(one.load.p99 for one in rounds):.1f}",
        f"{statistics.median(each[-1] for each in shares):.2f}, "
        f"{statistics.median(each[0] for each in shares):.2f}",
    ]
