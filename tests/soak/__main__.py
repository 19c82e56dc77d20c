"""``python -m tests.soak``: see L{tests.soak}."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

from fingerd.stores.database import NAME
from tests.soak import changes
from tests.soak.clients import Askers, SettingUser, again
from tests.soak.figures import Counts, Taken, taken
from tests.soak.nuisances import Nuisances
from tests.soak.upstream import Upstream
from tests.soak.world import World
from tests.support.daemon import Daemon

# What the daemon's memory may grow by after the warm-up, in bytes: the allocator keeps some of
# what the largest moment so far has taken, and a later moment may be larger.
MEMORY_GROWTH = 8 * 2**20
_WARM_UP = 60.0
_SETTLED_BY = 45.0
# So many looks in a row, two a second, must see no change.
_QUIET = 6
_UNWANTED = ("Traceback", "Unhandled", "Error:")


class Soak:
    """One soak of one daemon."""

    def __init__(self, daemon: Daemon, world: World, upstream: Upstream, rate: float, seed: int):
        """
        @param rate: good queries a second.
        """
        self.counts = Counts()
        self._daemon = daemon
        self._world = world
        self._upstream = upstream
        self._rate = rate
        self._chance = random.Random(seed)
        ports = daemon.port, daemon.setterPort
        self._askers = Askers(daemon.port, world, self.counts, self._chance)
        self._nuisances = Nuisances(*ports, self.counts, self._chance)
        self._setting = [SettingUser(*ports, login, world, self.counts) for login in world.setting]

    async def load(self, seconds: float) -> None:
        """Do everything at once for so long."""
        chance, counts = self._chance, self.counts
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                for part in (
                    again(self._askers.ask, self._rate, chance),
                    again(self._nuisances.annoy, self._rate / 15, chance),
                    changes.reloads(self._daemon, self._world, counts, chance),
                    changes.faults(self._upstream, counts, min(5.0, seconds / 10)),
                    changes.signals(self._daemon, counts, chance),
                    *(self._setOften(user) for user in self._setting),
                ):
                    tasks.create_task(part)
        except TimeoutError:
            pass

    async def _setOften(self, user: SettingUser) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(self._rate / 80))
            # What is being set is waited for: nobody could say whether it had been.
            await asyncio.shield(asyncio.ensure_future(user.set()))

    async def settle(self, like: Taken | None = None) -> Taken:
        """
        Wait until the daemon lets go of nothing more, and say what it has then.

        @param like: what it should have.
        """
        until = time.monotonic() + _SETTLED_BY
        before, now, quiet = None, taken(self._daemon.pid), 0
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            before, now = now, taken(self._daemon.pid)
            quiet = quiet + 1 if _held(now) == _held(before) else 0
            if quiet >= _QUIET and (like is None or _held(now) == _held(like)):
                break
        return now

    def compare(self, before: Taken, after: Taken) -> None:
        """Nothing may have been left behind."""
        for what in ("descriptors", "threads", "children"):
            if getattr(after, what) != getattr(before, what):
                self.counts.wrong.append(
                    f"{getattr(before, what)} {what} before, {getattr(after, what)} after"
                )
        grown = after.memory - before.memory
        if grown > MEMORY_GROWTH:
            self.counts.wrong.append(f"the memory has grown by {grown / 2**20:.1f} MiB")

    def compareStatuses(self, path: Path) -> int:
        """What was acknowledged must be kept. How many statuses that were."""
        with closing(sqlite3.connect(path)) as database:
            kept = database.execute("SELECT login, status FROM statuses ORDER BY id").fetchall()
        total = 0
        for user in self._setting:
            found = [status for login, status in kept if login == user.login]
            missing = set(user.acknowledged) - set(found)
            total += len(user.acknowledged)
            if missing:
                self.counts.wrong.append(f"{user.login}: acknowledged and not kept: {missing}")
        return total


def _held(figures: Taken) -> tuple[int, int]:
    return figures.descriptors, figures.children


async def soak(seconds: float, rate: float, seed: int) -> Counts:
    """Run one, and say what was seen."""
    warmUp = min(_WARM_UP, seconds / 4)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)
        world = World(Path(folder))
        upstream = Upstream(world)
        await upstream.listen()
        with world.start(upstream.url) as daemon:
            run = Soak(daemon, world, upstream, rate, seed)
            start = taken(daemon.pid)
            await run.load(warmUp)
            warm = await run.settle()
            await run.load(seconds - warmUp)
            end = await run.settle(warm)
            run.compare(warm, end)
            daemon.signal(signal.SIGTERM)
            status = daemon.ended()
            if status != -signal.SIGTERM:
                run.counts.wrong.append(f"the daemon ended with status {status}")
            run.counts.wrong += [
                line for line in daemon.log if any(word in line for word in _UNWANTED)
            ]
        upstream.close()
        kept = run.compareStatuses(Path(folder, "state", NAME))
    print(run.counts.table())
    print(f"\nstatuses acknowledged and kept: {kept}")
    print(f"{len(daemon.log)} lines of log")
    for moment, figures in (("at the start", start), ("after warm-up", warm), ("at the end", end)):
        print(f"{moment:<14}{figures}")
    return run.counts


def main() -> int:
    """Soak for as long as the command line says. The exit status: 0 where nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=20.0, help="for how long [20]")
    parser.add_argument("--rate", type=float, default=100.0, help="good queries a second [100]")
    parser.add_argument("--seed", type=int, default=None, help="of what is chosen [a new one]")
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with suppress(KeyboardInterrupt):
        counts = asyncio.run(soak(options.minutes * 60, options.rate, seed))
        return 1 if counts.wrong else 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
