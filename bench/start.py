"""
How long a start takes: from exec to the first answer, and what is imported for it.

The servers are started in turn, round by round.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from bench import servers, users
from bench.report import Result, Spread, Table, Target
from bench.servers import TALKS, Running, Server

QUICK = {"rounds": 2}
_PLUGIN, _TAC = "twistd finger", "finger.tac"
_IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
_INTERVAL = 0.0005


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--users", type=int, default=1000)


def measure(arguments: argparse.Namespace) -> Result:
    """Measure what the options say."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # For finger.tac, which becomes another user.
        folder.chmod(0o755)
        path = folder / "users"
        users.write(path, arguments.users)
        right = users.filled(users.answer(), 0)
        kinds = _kinds(folder, path)
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        faults = 0
        # The first round is to warm up.
        for number in range(arguments.rounds + 1):
            for kind, make in kinds.items():
                seconds, said = _start(make(), folder)
                faults += said != right
                if number:
                    times[kind].append(seconds)
        modules = {kind: _modules(make(), folder) for kind, make in kinds.items()}
    return _result(times, modules, faults, arguments)


def _kinds(folder: Path, path: Path) -> dict[str, Callable[[], Server]]:
    state = folder / "state"

    def plugin() -> Server:
        # With its setter, as shipped.
        return servers.ours(
            folder, f"--directory=file:{path}", f"--state={state}", "--setter=tcp:0"
        )

    return {
        _PLUGIN: plugin,
        _TAC: lambda: servers.tac(folder, path, folder / "tac-state"),
        TALKS: lambda: servers.talks(folder, path),
    }


def _start(server: Server, folder: Path) -> tuple[float, bytes]:
    """The seconds until the first answer, and what it was."""
    began = time.perf_counter()
    running = Running(server, folder)
    try:
        said = running.answered(_INTERVAL)
        return time.perf_counter() - began, said
    finally:
        running.__exit__()


def _modules(server: Server, folder: Path) -> list[str]:
    """What a server imports until it has answered, in that order."""
    python, *words = server.command
    with Running(replace(server, command=[python, "-X", "importtime", *words]), folder) as running:
        return sorted(set(_IMPORTED.findall(running.said)))


def _result(
    times: dict[str, list[float]],
    modules: dict[str, list[str]],
    faults: int,
    arguments: argparse.Namespace,
) -> Result:
    rows, targets = [], []
    ratios: dict[str, Spread] = {}
    for kind, seconds in times.items():
        pairs = zip(seconds, times[TALKS], strict=True)
        ratios[kind] = ratio = Spread.of([ours / talks for ours, talks in pairs])
        milliseconds = Spread.of([one * 1e3 for one in seconds])
        more = set(modules[kind]) - set(modules[TALKS])
        rows.append(
            [
                kind,
                milliseconds.words(0),
                ratio.words(2),
                str(len(modules[kind])),
                str(sum(name.startswith("fingerd") for name in more)),
                str(sum(not name.startswith("fingerd") for name in more)),
            ]
        )
        if kind != TALKS:
            what = f"exec to first answer, `{kind}`: to the talk's server"
            targets.append(Target(what, ratio.median, 1.3))
    return Result(
        "start",
        "How long a start takes",
        f"From exec to the first answer under twistd, {arguments.users:,} users, medians and "
        f"quartiles of {arguments.rounds} rounds. Modules are those that Python imports until "
        "then, and of those the ones that the talk's server doesn't import.",
        [Table(_HEAD, rows)],
        targets,
        {
            kind: {"seconds": times[kind], "ratio": asdict(ratios[kind]), "modules": modules[kind]}
            for kind in times
        },
        faults,
    )


_HEAD = ("server", "ms", "to the talk's", "modules", "more: fingerd's", "more: others")
