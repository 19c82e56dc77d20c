"""
Kills a daemon at random moments while clients set statuses, plans, projects and whether they are
shown, take changes back and erase them all, and looks for all it acknowledged.

    python -m tests.kill --kills 100
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

from fingerd.doors.setter.grammar import Verb, readTold
from fingerd.model.limits import DEFAULTS
from fingerd.model.record import YES, Part
from fingerd.stores.database import NAME
from tests.support.setting import SetterDaemon

CLIENTS = 8
TEXTS = (Part.STATUS, Part.PLAN, Part.PROJECT)
_FLAGS = {
    (Part.HIDDEN, YES): Verb.HIDE,
    (Part.HIDDEN, ""): Verb.SHOW,
    (Part.PUBLIC_HISTORY, YES): Verb.PUBLIC_HISTORY,
    (Part.PUBLIC_HISTORY, ""): Verb.PRIVATE_HISTORY,
}
# Of so many requests one takes back the last change, and one erases all.
_UNDOES, _ERASES = 7, 61

# What was set of a user, the newest last: each change is of a part, to a text.
Changes = list[tuple[Part, str]]


@dataclass
class Counts:
    """What was seen. C{acknowledged} is by what was done: set, taken back, erased."""

    kills: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    lost: int = 0
    halfWritten: int = 0
    # Done, but the daemon was killed before it could say so.
    unacknowledged: int = 0

    def __str__(self) -> str:
        done = ", ".join(f"{number} {what}" for what, number in sorted(self.acknowledged.items()))
        return (
            f"{self.kills} kills: {self.acknowledged.total()} changes acknowledged ({done}), "
            f"{self.lost} lost, {self.halfWritten} half-written; {self.unacknowledged} done "
            f"without an answer; {self.kept} are kept at the end"
        )


class Client:
    """Changes one user's record again and again, and remembers what was acknowledged."""

    def __init__(self, login: str) -> None:
        self.login = login
        self.number = 0
        self.acknowledged: Counter[str] = Counter()
        # What is kept as far as was acknowledged, and with the request that got no answer.
        self.changes: Changes = []
        self.perhaps: Changes = []

    def changeUntilKilled(self, daemon: SetterDaemon) -> None:
        """Change what there is to change until there is no answer."""
        while True:
            self.number += 1
            what, request, after = self._next()
            self.perhaps = after
            answer = daemon.send(request)
            if answer.split("\r\n")[0] != "OK":
                assert answer == "", answer
                return
            self.acknowledged[what] += 1
            self.changes = after

    def _next(self) -> tuple[str, str, Changes]:
        """What is done next, how it is asked for, and what is kept after it."""
        if self.number % _ERASES == 0:
            return "erased", f"{self.login} erase\n", []
        if self.number % _UNDOES == 0 and self.changes:
            return "taken back", f"{self.login} undo\n", self.changes[:-1]
        part, value, request = setting(self.login, self.number)
        return "set", request, [*self.changes, (part, value)]


def setting(login: str, number: int) -> tuple[Part, str, str]:
    """What is set next, to what, and how it is asked for: one part after the other."""
    part = list(Part)[number % len(Part)]
    if part in TEXTS:
        value = text(login, number)
        if part is Part.STATUS and number % 2:
            return part, value, f"{login}\n{value}\n"
        return part, value, f"{login} {part}\n{value}\n"
    value = YES if number // len(Part) % 2 else ""
    return part, value, f"{login} {_FLAGS[part, value]}\n"


def text(login: str, number: int) -> str:
    """A status that shows whether it is whole, of some length between 60 and 800 bytes."""
    start = f"{login} {number} " + "é" * (number * 37 % 350)
    return f"{start} {hashlib.md5(start.encode()).hexdigest()}"


def isWhole(status: str) -> bool:
    """Whether C{status} is one of L{text}'s."""
    start, _, digest = status.rpartition(" ")
    return hashlib.md5(start.encode()).hexdigest() == digest


def kill(kills: int, home: str, chance: random.Random) -> Counts:
    """
    Do it.

    @param home: an empty directory that everyone may enter.
    """
    counts = Counts()
    clients = [Client(f"user{number}") for number in range(CLIENTS)]
    while counts.kills < kills:
        daemon = SetterDaemon(home)
        threads: list[threading.Thread] = []
        if chance.random() < 0.2:
            # Somewhere in its start: the database is being made, or what a kill left mended.
            time.sleep(chance.uniform(0, 0.6))
        else:
            if not daemon.answers():
                raise SystemExit(f"the daemon didn't start again:\n{daemon.log}")
            _checkShown(daemon, clients, counts)
            threads = [
                threading.Thread(target=client.changeUntilKilled, args=(daemon,))
                for client in clients
            ]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0, 0.3))
        daemon.end(signal.SIGKILL)
        counts.kills += 1
        for thread in threads:
            thread.join()
    daemon = SetterDaemon(home)
    if not daemon.answers():
        raise SystemExit(f"the daemon didn't start again:\n{daemon.log}")
    _checkShown(daemon, clients, counts)
    daemon.stop()
    _checkKept(os.path.join(home, "state", NAME), clients, counts)
    return counts


def _checkShown(daemon: SetterDaemon, clients: list[Client], counts: Counts) -> None:
    """
    What was set and what shows of it is what was acknowledged; or that and what was asked for last.
    """
    for client in clients:
        newest = _told(daemon, client.login, Verb.HISTORY)[::-1]
        most = DEFAULTS.changesTold
        if newest == client.changes[-most:]:
            expected = client.changes
        elif newest == client.perhaps[-most:]:
            expected = client.perhaps
            counts.unacknowledged += 1
        else:
            counts.lost += 1
            expected = newest
        client.changes = client.perhaps = expected
        counts.halfWritten += sum(not isWhole(value) for part, value in newest if part in TEXTS)
        shows = {part: value for part, value in dict(expected).items() if value}
        counts.lost += dict(_told(daemon, client.login, Verb.TELL)) != shows


def _told(daemon: SetterDaemon, login: str, verb: Verb) -> Changes:
    first, *lines = daemon.send(f"{login} {verb}\n").split("\r\n")
    assert first == "OK", first
    return [(entry.part, entry.text) for _, entry in map(readTold, lines)]


def _checkKept(path: str, clients: list[Client], counts: Counts) -> None:
    """What is in the database is what was acknowledged, each change in its place."""
    with closing(sqlite3.connect(path)) as database:
        for client in clients:
            rows = database.execute(
                "SELECT part, status FROM statuses WHERE login = ? AND part <> '' ORDER BY id",
                (client.login,),
            ).fetchall()
            counts.acknowledged += client.acknowledged
            counts.kept += len(rows)
            counts.lost += rows != client.changes
            counts.halfWritten += sum(not isWhole(value) for part, value in rows if part in TEXTS)


def main() -> int:
    """Kill as often as the command line says. The exit status: 0 where nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill")
    parser.add_argument("--kills", type=int, default=100, help="how many times [100]")
    parser.add_argument("--seed", type=int, default=None, help="of the moments that are chosen")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        counts = kill(options.kills, home, random.Random(options.seed))
    print(counts)
    return 1 if counts.lost or counts.halfWritten else 0


if __name__ == "__main__":
    sys.exit(main())
