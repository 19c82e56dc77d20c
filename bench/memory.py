"""
What becomes of the memory of a daemon that clients of all kinds ask for as long as one likes.

What the process has in memory is written down beside what is alive in it. Where the one grows and
the other doesn't, the allocator keeps what it may need again; where both do, something isn't let
go.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import random
import socket
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from bench import plots, servers, users
from bench.mixed import Mixed, Ports, Seen
from bench.processes import descriptors, freePort, memory, own, threads
from bench.report import Result, Table, Target
from bench.secure import certificate
from bench.servers import Running

QUICK = {"minutes": 0.05, "rate": 60.0, "peers": 100, "users": 100, "every": 0.5, "stay": 1.0}
# The daemon looks every quarter of a second whether those have closed who have their answers.
_SETTLING = 1.0


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=120.0, help="clients a second")
    parser.add_argument("--peers", type=int, default=200_000, help="addresses they come from")
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two looks")
    parser.add_argument(
        "--stay", type=float, default=30.0, help="seconds that a connection may last"
    )


@dataclass(frozen=True)
class Look:
    """
    The daemon at one moment.

    @ivar seconds: since the first clients came.
    @ivar clients: how many had come.
    @ivar resident: what it has in memory, in MB.
    @ivar own: what of that it shares with no other process.
    @ivar malloc: of that, what malloc(3) has handed out and hasn't got back.
    @ivar blocks: small pieces of memory that Python has in use.
    @ivar objects: those that the garbage collector knows of.
    """

    seconds: float
    clients: int
    resident: float
    own: float
    malloc: float
    blocks: int
    objects: int
    descriptors: int
    threads: int


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say. Each look is in C{memory.csv} at once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with asked(folder, arguments.users, arguments.peers, arguments.stay) as (daemon, clients):
            looks = asyncio.run(_watched(daemon, folder / servers.COUNTED, clients, arguments))
    return _result(looks, clients.seen, arguments)


@contextmanager
def asked(folder: Path, count: int, peers: int, stay: float) -> Iterator[tuple[Running, Mixed]]:
    """
    A daemon, and the clients that can come to it, until the block ends.

    @param count: how many users it has.
    @param peers: from how many addresses the clients come.
    @param stay: how many seconds a connection may last.
    """
    path, pem = folder / "users", folder / "localhost.pem"
    users.write(path, count)
    certificate(pem)
    tls, setter = freePort(), freePort()
    server = servers.counted(
        folder,
        f"--listen=ssl:{tls}:privateKey={pem}:interface=127.0.0.1",
        f"--setter=tcp:{setter}:interface=127.0.0.1",
        f"--directory=file:{path}",
        f"--state={folder / 'state'}",
        f"--limit=connectionTime={stay}",
    )
    with Running(server, folder) as daemon:
        yield daemon, Mixed(Ports(daemon.port, tls, setter, pem), count, peers, random.Random(1))


async def _watched(
    daemon: Running, counted: Path, clients: Mixed, arguments: argparse.Namespace
) -> list[Look]:
    """Let the clients come, and look at the daemon meanwhile and when the last one has gone."""
    loop = asyncio.get_running_loop()
    looks: list[Look] = []
    arguments.out.mkdir(parents=True, exist_ok=True)
    with open(arguments.out / "memory.csv", "w", newline="") as file:
        written = csv.writer(file)
        written.writerow(field.name for field in fields(Look))
        began = loop.time()

        async def look() -> None:
            seconds, came = loop.time() - began, clients.seen.came.total()
            looks.append(await asyncio.to_thread(_look, daemon.pid, counted, seconds, came))
            written.writerow(astuple(looks[-1]))
            file.flush()

        async def lookOften() -> None:
            while True:
                await look()
                await asyncio.sleep(arguments.every)

        looking = asyncio.ensure_future(lookOften())
        await clients.come(arguments.rate, arguments.minutes * 60)
        looking.cancel()
        await asyncio.sleep(_SETTLING)
        await look()
    return looks


def _look(pid: int, counted: Path, seconds: float, clients: int) -> Look:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(counted))
        alive = json.loads(asking.makefile().readline())
    return Look(
        round(seconds, 1),
        clients,
        round(memory(pid), 2),
        round(own(pid), 2),
        round(alive["malloc"] / 2**20, 2),
        alive["blocks"],
        alive["objects"],
        descriptors(pid),
        threads(pid),
    )


def _result(looks: Sequence[Look], seen: Seen, arguments: argparse.Namespace) -> Result:
    *under, after = looks
    quarters = [under[len(under) * n // 4 : len(under) * (n + 1) // 4] or under for n in range(4)]
    rows = [_row("at the start", looks[:1])]
    rows += [_row(f"quarter {n}", quarter) for n, quarter in enumerate(quarters, 1)]
    rows.append(_row("when all have gone", [after]))
    came = Table(
        ("clients", "came", "faults"),
        [[name, f"{n:,}", f"{seen.faults[name]:,}"] for name, n in seen.came.most_common()],
    )
    _, second, _, last = quarters
    return Result(
        "memory",
        "What becomes of the memory",
        f"{arguments.rate:g} clients of all kinds a second for {arguments.minutes:g} minutes, from "
        f"{arguments.peers:,} loopback addresses, and a look at the daemon every "
        f"{arguments.every:g} seconds: the medians of each quarter of the time. Memory is in MB: "
        "resident; the daemon's own, shared with no other process; and what malloc has handed "
        "out. Pieces are those of memory that Python has in use, objects those that its garbage "
        "collector knows of. The daemon remembers each address that has asked, up to its limit "
        "peersCounted: until it has so many, its memory may grow.",
        [Table(_HEAD, rows), came],
        [
            Target(
                f"{what} in the last quarter: to the second",
                _middle(last, name) / max(_middle(second, name), 1e-9),
                1.02,
            )
            for name, what in (("resident", "resident memory"), ("blocks", "pieces in use"))
        ],
        {"looks": [asdict(look) for look in looks], "came": seen.came, "faulty": seen.faults},
        seen.faults.total(),
        lambda path: _draw(path, looks),
    )


_HEAD = (
    "",
    "clients",
    "resident",
    "its own",
    "malloc",
    "pieces",
    "objects",
    "descriptors",
    "threads",
)


def _row(name: str, looks: Sequence[Look]) -> list[str]:
    return [
        name,
        f"{looks[-1].clients:,}",
        *(f"{_middle(looks, field):.1f}" for field in ("resident", "own", "malloc")),
        *(f"{_middle(looks, field):,.0f}" for field in ("blocks", "objects")),
        *(f"{_middle(looks, field):.0f}" for field in ("descriptors", "threads")),
    ]


def _middle(looks: Sequence[Look], field: str) -> float:
    return float(statistics.median(getattr(look, field) for look in looks))


def _draw(path: Path, looks: Sequence[Look]) -> None:
    def curve(field: str, unit: float = 1) -> list[tuple[float, float]]:
        return [(look.seconds / 60, getattr(look, field) / unit) for look in looks]

    plots.lines(
        path,
        "The daemon under clients of all kinds",
        "minutes",
        {
            "MB": {
                "resident": curve("resident"),
                "its own": curve("own"),
                "handed out by malloc": curve("malloc"),
            },
            "thousands": {
                "pieces in use": curve("blocks", 1000),
                "objects": curve("objects", 1000),
            },
        },
        logarithmic=False,
    )
