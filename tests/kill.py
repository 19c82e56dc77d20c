"""
Kills a daemon at random moments while clients set statuses, plans, projects and whether they are
shown, and looks for all it acknowledged.

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
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

from fingerd.doors.setter.grammar import Verb, readTold
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


@dataclass
class Counts:
    """What was seen."""

    kills: int = 0
    acknowledged: int = 0
    found: int = 0
    lost: int = 0
    halfWritten: int = 0
    # Kept, but the daemon was killed before it could say so.
    unacknowledged: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills: {self.acknowledged} changes acknowledged, {self.found} found, "
            f"{self.lost} lost, {self.halfWritten} half-written; "
            f"{self.unacknowledged} kept without an answer"
        )


class Client:
    """Sets one user's record again and again, and remembers what was acknowledged."""

    def __init__(self, login: str) -> None:
        self.login = login
        self.number = 0
        self.acknowledged: dict[Part, list[str]] = {part: [] for part in Part}

    def setUntilKilled(self, daemon: SetterDaemon) -> None:
        """Set what there is to set until there is no answer."""
        while True:
            self.number += 1
            part = list(Part)[self.number % len(Part)]
            if part in TEXTS:
                value = text(self.login, self.number)
                request = f"{self.login} {part}\n{value}\n"
                if part is Part.STATUS and self.number % 2:
                    request = f"{self.login}\n{value}\n"
            else:
                value = YES if self.number // len(Part) % 2 else ""
                request = f"{self.login} {_FLAGS[part, value]}\n"
            answer = daemon.send(request)
            if answer.split("\r\n")[0] != "OK":
                assert answer == "", answer
                return
            self.acknowledged[part].append(value)


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
            checkShown(daemon, lasts(clients), counts)
            threads = [
                threading.Thread(target=client.setUntilKilled, args=(daemon,)) for client in clients
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
    checkShown(daemon, lasts(clients), counts)
    daemon.stop()
    with closing(sqlite3.connect(os.path.join(home, "state", NAME))) as database:
        rows = database.execute("SELECT login, part, status FROM statuses").fetchall()
    checkKept(rows, clients, counts)
    return counts


def lasts(clients: Iterable[Client]) -> dict[tuple[str, Part], str]:
    """What was acknowledged last of each text of each user."""
    return {
        (client.login, part): client.acknowledged[part][-1]
        for client in clients
        for part in TEXTS
        if client.acknowledged[part]
    }


def shown(daemon: SetterDaemon, login: str) -> dict[Part, str]:
    """What a daemon shows of somebody, whether they are hidden or not."""
    answer = daemon.send(f"{login} tell\n")
    told = [readTold(line)[1] for line in answer.split("\r\n")[1:]]
    return {status.part: status.text for status in told}


def checkShown(daemon: SetterDaemon, last: dict[tuple[str, Part], str], counts: Counts) -> None:
    """What is set is what was acknowledged last, or what was sent after it."""
    shows = {login: shown(daemon, login) for login, _ in last}
    for (login, part), acknowledged in last.items():
        text = shows[login].get(part, "")
        if not isWhole(text):
            counts.halfWritten += 1
        elif int(text.split()[1]) < int(acknowledged.split()[1]):
            counts.lost += 1


def checkKept(
    rows: Sequence[tuple[str, str, str]], clients: Iterable[Client], counts: Counts
) -> None:
    """
    All that was acknowledged is kept.

    @param rows: what is kept: a login, what of its record and the text, of each.
    """
    kept = Counter(rows)
    # A hiding is like another: there are as many as were acknowledged, at least.
    acknowledged = Counter(
        (client.login, part.value, value)
        for client in clients
        for part in Part
        for value in client.acknowledged[part]
    )
    found = (acknowledged & kept).total()
    counts.acknowledged += acknowledged.total()
    counts.found += found
    counts.lost += acknowledged.total() - found
    counts.halfWritten += sum(not isWhole(value) for _, part, value in rows if part in TEXTS)
    counts.unacknowledged += (kept - acknowledged).total()


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
