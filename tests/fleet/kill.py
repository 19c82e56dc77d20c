"""
Kills two daemons on one PostgreSQL at random moments, each while the other goes on, and looks for
all that either has acknowledged.

    python -m tests.fleet.kill --kills 100
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time

import psycopg

from tests.directories.servers import PostgreSQLServer
from tests.fleet.setters import Client, Counts, checkKept, checkShown, lasts, shown
from tests.kill import TEXTS
from tests.support.setting import SetterDaemon

# Kills after which the database is looked through, and said what was found.
_ROUND = 50
# Users whom the clients of each daemon set for alone, and those for whom both daemons' do.
_OWN = 3
_SHARED = 2
# In each of so many kills, both are killed at once; in each of so many, one is while it starts.
_BOTH = 8
_STARTING = 5


class Machine:
    """
    A daemon that is killed and started again, and its clients.

    @ivar own: those of its clients who set for users for whom nobody else does.
    """

    def __init__(self, home: str, name: str, database: str, number: int) -> None:
        """
        @param number: of the machine's: no two clients of one user send the same text.
        """
        self._new = home, name, database
        self.own = [Client(f"{name}{each}") for each in range(_OWN)]
        self.clients = [*self.own, *(Client(f"both{each}") for each in range(_SHARED))]
        for client in self.clients:
            client.number = 1_000_000 * number
        self.daemon = SetterDaemon(*self._new)
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Wait until the daemon answers, and let the clients set."""
        self.answers()
        self._threads = [
            threading.Thread(target=client.setUntilKilled, args=(self.daemon,))
            for client in self.clients
        ]
        for thread in self._threads:
            thread.start()

    def answers(self) -> None:
        """Wait until it does."""
        if not self.daemon.answers():
            raise SystemExit(f"the daemon didn't start again:\n{self.daemon.log}")

    def kill(self) -> None:
        """Kill the daemon, and start it again."""
        self.daemon.end(signal.SIGKILL)
        for thread in self._threads:
            thread.join()
        self._threads = []
        self.daemon = SetterDaemon(*self._new)


def kill(
    kills: int, home: str, server: PostgreSQLServer, chance: random.Random, counts: Counts
) -> None:
    """
    Do it, with a database that is empty at first, and add what is seen to ``counts``.

    @param kills: how often; once more where both are killed last.
    @param home: a directory that everyone may enter.
    """
    until = counts.kills + kills
    server.run("SET client_min_messages = error", "DROP SCHEMA IF EXISTS fingerd CASCADE")
    url = f"postgresql://owner@/postgres?host={server.folder}"
    machines = [Machine(home, name, url, number) for number, name in enumerate(("one", "two"))]
    for machine in machines:
        machine.begin()
    while counts.kills < until:
        time.sleep(chance.uniform(0, 0.3))
        killed = machines if chance.random() < 1 / _BOTH else [chance.choice(machines)]
        # What a daemon shows that starts now, whoever has acknowledged it.
        last = lasts(client for machine in machines for client in machine.own)
        for machine in killed:
            _kill(machine, counts)
            while counts.kills < until and chance.random() < 1 / _STARTING:
                time.sleep(chance.uniform(0, 0.6))
                _kill(machine, counts)
        for machine in killed:
            machine.answers()
            checkShown(machine.daemon, last, counts)
            machine.begin()
    for machine in machines:
        machine.kill()
    for machine in machines:
        machine.answers()
    clients = [client for machine in machines for client in machine.clients]
    with psycopg.connect(url) as database:
        rows = database.execute(
            "SELECT login, part, status FROM fingerd.statuses WHERE part <> '' ORDER BY id"
        ).fetchall()
    checkKept(rows, clients, counts)
    newest = {(login, part): text for login, part, text in rows}
    for machine in machines:
        for login in {client.login for client in clients}:
            shows = shown(machine.daemon, login)
            counts.lost += sum(shows.get(part) != newest.get((login, part)) for part in TEXTS)
        machine.daemon.stop()


def _kill(machine: Machine, counts: Counts) -> None:
    machine.kill()
    counts.kills += 1


def main() -> int:
    """Kill as often as the command line says. The exit status: 0 where nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet.kill")
    parser.add_argument("--kills", type=int, default=100, help="how many times [100]")
    parser.add_argument("--seed", type=int, default=None, help="of the moments that are chosen")
    options = parser.parse_args()
    counts, chance = Counts(), random.Random(options.seed)
    server = PostgreSQLServer()
    try:
        with tempfile.TemporaryDirectory() as home:
            os.chmod(home, 0o755)
            while counts.kills < options.kills:
                kill(min(options.kills - counts.kills, _ROUND), home, server, chance, counts)
                print(counts, flush=True)
    finally:
        server.remove()
    return 1 if counts.lost or counts.halfWritten else 0


if __name__ == "__main__":
    sys.exit(main())
