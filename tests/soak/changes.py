"""What changes under the daemon: its files, the server it asks, and the signals it gets."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable

from tests.soak.figures import Counts, catches
from tests.soak.possible import Possible
from tests.soak.upstream import FAULTS, Upstream
from tests.soak.world import World
from tests.support.daemon import Daemon

# A file must have been quiet for a second, and is looked at every second.
_TAKEN_OVER_IN = 15.0


async def reloads(daemon: Daemon, world: World, counts: Counts, chance: random.Random) -> None:
    """Change the files, again and again, each time waiting until the daemon has them."""
    while True:
        if chance.random() < 0.5:
            await _reload(daemon, "users", world.file, world.writeFile, counts)
        else:
            await _reload(daemon, "users.toml", world.toml, world.writeToml, counts)
        await asyncio.sleep(chance.uniform(0, 2))


async def _reload(
    daemon: Daemon,
    name: str,
    shown: Possible[int],
    write: Callable[[int], None],
    counts: Counts,
) -> None:
    def taken() -> int:
        return sum(f"/{name}: " in line and line.endswith(" users") for line in daemon.log)

    before = taken()
    shown.begin(shown.value + 1)
    write(shown.value)
    try:
        async with asyncio.timeout(_TAKEN_OVER_IN):
            while taken() == before:
                await asyncio.sleep(0.05)
    except TimeoutError:
        counts.wrong.append(f"{name} was not read again within {_TAKEN_OVER_IN} seconds")
    shown.settle()
    counts.others[f"new {name}"] += 1


async def faults(upstream: Upstream, counts: Counts, seconds: float) -> None:
    """
    Let the upstream server have its faults in turn, and be well in between.

    @param seconds: for how long it is each.
    """
    try:
        while True:
            for mode in FAULTS:
                await asyncio.sleep(seconds)
                await upstream.become(mode)
                counts.others[f"upstream {mode}"] += 1
                await asyncio.sleep(seconds)
                await upstream.become("well")
    finally:
        await upstream.become("well")


async def signals(daemon: Daemon, counts: Counts, chance: random.Random) -> None:
    """Send the signals that administrators send."""
    while True:
        await asyncio.sleep(chance.uniform(0.5, 3))
        os.kill(daemon.pid, signal.SIGHUP)
        counts.others["SIGHUP"] += 1
        # By default this one ends a process.
        if catches(daemon.pid, signal.SIGUSR1):
            os.kill(daemon.pid, signal.SIGUSR1)
            counts.others["SIGUSR1"] += 1
