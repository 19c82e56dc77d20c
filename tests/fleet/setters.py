"""Clients that set for users for whom others may set too, and what must be kept of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fingerd.doors.setter.grammar import readTold
from fingerd.model.record import Part
from tests.kill import TEXTS, isWhole, setting
from tests.support.setting import SetterDaemon


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
            part, value, request = setting(self.login, self.number)
            answer = daemon.send(request)
            if answer.split("\r\n")[0] != "OK":
                assert answer == "", answer
                return
            self.acknowledged[part].append(value)


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
