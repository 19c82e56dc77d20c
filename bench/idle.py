"""
What connections cost that say nothing: the memory for each, and what they do to queries.

In each round a server answers queries twice: with nobody else there, and beside idle connections.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import servers, users
from bench.loading import Load, Loading, generator
from bench.processes import allowDescriptors, cores, descriptors
from bench.report import Result, Spread, Table, Target
from bench.servers import OURS, TALKS, Running

QUICK = {"connections": 300, "rounds": 1, "queries": 300, "users": 1000}
# Idle connections from one address: fewer than the daemon takes by default.
_EACH = 40
_ACCEPTING = 60.0
# The daemon looks every 0.25 s whether those have closed who have their answers.
_SETTLING = 0.6
_SPARE = 500
# socket has no name for it before Python 3.12.
_BIND_ADDRESS_NO_PORT = 24


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--users", type=int, default=100_000)


@dataclass
class _Seen:
    """
    What came of one server. Costs are in seconds a query, memory in KB a connection.

    @ivar lost: idle connections that the server closed.
    """

    memory: float = 0.0
    lost: int = 0
    alone: list[Load] = field(default_factory=list)
    beside: list[Load] = field(default_factory=list)
    aloneCost: list[float] = field(default_factory=list)
    besideCost: list[float] = field(default_factory=list)

    @property
    def rate(self) -> Spread:
        """The rate beside idle connections to that without."""
        return Spread.of([b.rate / a.rate for a, b in zip(self.alone, self.beside, strict=True)])

    @property
    def cost(self) -> Spread:
        """The cost of a query beside them to that without."""
        pairs = zip(self.aloneCost, self.besideCost, strict=True)
        return Spread.of([beside / alone for alone, beside in pairs])


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say."""
    allowDescriptors(arguments.connections + _SPARE)
    seen: dict[str, _Seen] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        path = folder / "users"
        users.write(path, arguments.users)
        command = generator(folder)
        started = [
            running.enter_context(Running(server, folder, cores()[0]))
            for server in (
                servers.ours(folder, "--no-setter", f"--directory=file:{path}"),
                servers.talks(folder, path),
            )
        ]
        for server in started:
            seen[server.name] = _Seen()
            # Whatever a first query makes.
            _ask(server, command, arguments)
        for _ in range(arguments.rounds):
            for server in started:
                _round(server, command, seen[server.name], arguments)
    return _result(seen, arguments)


def _round(server: Running, command: list[str], seen: _Seen, arguments: argparse.Namespace) -> None:
    load, cost = _ask(server, command, arguments)
    seen.alone.append(load)
    seen.aloneCost.append(cost)
    before = server.memory
    with _idle(server, arguments.connections) as connections:
        if seen.memory == 0.0:
            # Only the first time: later what was freed is used again.
            seen.memory = (server.memory - before) * 1024 / len(connections)
        load, cost = _ask(server, command, arguments)
        seen.beside.append(load)
        seen.besideCost.append(cost)
        seen.lost += sum(map(_isClosed, connections))


def _ask(server: Running, command: list[str], arguments: argparse.Namespace) -> tuple[Load, float]:
    before = server.cpu
    load = Loading(
        command,
        server.port,
        arguments.clients,
        range(arguments.users),
        users.answer(),
        queries=arguments.queries,
    ).result()
    return load, (server.cpu - before) / max(load.right, 1)


@contextmanager
def _idle(server: Running, count: int) -> Iterator[list[socket.socket]]:
    """Connections that say nothing, which the server has accepted, until the block ends."""
    open_ = _settled(server)
    with ExitStack() as held:
        connections = []
        for number in range(count):
            connection = held.enter_context(socket.socket())
            connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            connection.bind((f"127.0.1.{1 + number // _EACH}", 0))
            connection.connect(("127.0.0.1", server.port))
            connections.append(connection)
        _wait(server, open_ + count)
        yield connections
    _wait(server, open_, fewer=True)


def _wait(server: Running, count: int, fewer: bool = False) -> None:
    """Wait until the server has so many descriptors open, or no more than that."""
    end = time.monotonic() + _ACCEPTING
    while (now := descriptors(server.pid)) != count and (now > count) == fewer:
        if time.monotonic() > end:
            raise TimeoutError(f"{server.name} has {now} connections and files open, not {count}")
        time.sleep(0.02)


def _settled(server: Running) -> int:
    """How many descriptors the server has open, once those of the last queries are closed."""
    last = -1
    while (now := descriptors(server.pid)) != last:
        last = now
        time.sleep(_SETTLING)
    return now


def _isClosed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _result(seen: dict[str, _Seen], arguments: argparse.Namespace) -> Result:
    ours, talks = seen[OURS], seen[TALKS]
    beside = f"beside {arguments.connections:,} idle connections"
    return Result(
        "idle",
        "What idle connections cost",
        f"{arguments.connections:,} connections that say nothing, {_EACH} from each loopback "
        f"address, and {arguments.clients} clients that ask {arguments.queries:,} times without "
        f"and with them, in {arguments.rounds} rounds. Memory is what the process has more in the "
        "first round, without what the kernel holds; the servers have one core and the clients "
        "another.",
        [Table(_HEAD, [_row(name, one) for name, one in seen.items()])],
        [
            Target(f"rate {beside}: to that without", ours.rate.median, 0.8, atLeast=True),
            Target(
                "memory of an idle connection: to the talk's server's",
                ours.memory / talks.memory,
                1,
            ),
        ],
        {name: asdict(one) for name, one in seen.items()},
        sum(
            one.lost + sum(load.faults for load in (*one.alone, *one.beside))
            for one in seen.values()
        ),
    )


_HEAD = (
    "server",
    "KB a connection",
    "queries/s without, beside",
    "ratio",
    "µs a query without, beside",
    "ratio",
    "p99 ms without, beside",
    "idle ones lost",
)


def _row(name: str, seen: _Seen) -> list[str]:
    alone, beside = seen.alone, seen.beside
    middle = statistics.median
    return [
        name,
        f"{seen.memory:.2f}",
        f"{middle(one.rate for one in alone):,.0f}, {middle(one.rate for one in beside):,.0f}",
        seen.rate.words(2),
        f"{middle(seen.aloneCost) * 1e6:.1f}, {middle(seen.besideCost) * 1e6:.1f}",
        seen.cost.words(2),
        f"{middle(one.p99 for one in alone):.1f}, {middle(one.p99 for one in beside):.1f}",
        str(seen.lost),
    ]
