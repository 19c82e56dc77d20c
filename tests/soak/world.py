"""The daemon of the soak, what it knows, and what may be its answers."""

from __future__ import annotations

import itertools
import os
import random
import re
from pathlib import Path

from tests.soak.possible import Possible
from tests.support.daemon import Daemon

# For how long a list may be kept, and for how long a query that is shared may have been under
# way before: see limits.py.
_LIST_KEPT = 1.5
_UPSTREAM_SHARED = 4.0

_FAILED = re.compile(rb"Internal error in server\r\nReference: [0-9a-f]{8}\r\n")

# More than the kernel takes off a daemon's hands for a client that doesn't read.
_LONG = "".join(f"{n} lines, and no end yet\n" for n in range(8000))

_PROGRAM = """\
#!/bin/sh
case "$#$2" in
0) echo "All that a program knows" ;;
2prog[0-4]) echo "$2 is what a program says" ;;
esac
"""


def options(folder: Path, upstream: str) -> tuple[str, ...]:
    """The daemon's command line. All clients come from a few addresses of one machine."""
    return (
        "-n",
        "--pidfile=",
        "finger",
        "--listen=tcp:0:interface=127.0.0.1",
        "--setter=tcp:0:interface=127.0.0.1",
        f"--directory=file:{folder}/users",
        f"--directory=toml:{folder}/users.toml",
        f"--directory=exec:{folder}/program",
        f"--directory={upstream}",
        "--reload=1",
        "--limit=peerQueries=100000",
        "--limit=peerConnections=1000",
        # All that was acknowledged is looked for.
        "--history=100000000",
        f"--state={folder}/state",
    )


class World:
    """
    What there is to know, and when it changed.

    @ivar file: the version of the users file.
    @ivar toml: the version of the TOML file.
    @ivar mode: what the upstream server does.
    @ivar statuses: what was set, by login.
    """

    users = [f"user{n}" for n in range(50)]
    setting = [f"set{n}" for n in range(8)]
    tomlUsers = [f"toml{n}" for n in range(20)]
    long = "long"
    programs = [f"prog{n}" for n in range(5)]
    upstreams = [f"up{n}" for n in range(10)]
    # To a program that is asked, and to one that isn't since it can't be a login there.
    unknown = ["nobody-here", "nobody+here", "root", "0"]

    def __init__(self, folder: Path) -> None:
        """
        @param folder: an empty one that everyone may enter.
        """
        self.folder = folder
        self.file = Possible(0)
        self.toml = Possible(0)
        self.mode = Possible("well")
        self.statuses = {login: Possible("At home") for login in self.setting}
        self.writeFile(0)
        self.writeToml(0)
        program = folder / "program"
        program.write_text(_PROGRAM)
        program.chmod(0o755)

    def start(self, upstream: str) -> Daemon:
        """The daemon, not entered yet."""
        self._upstream = upstream.removeprefix("finger://")
        return Daemon(*options(self.folder, upstream), fresh=True)

    def writeFile(self, version: int) -> None:
        """Put another users file in the place of the one that is there."""
        lines = [f"{login}:{login}, version {version}" for login in self.users]
        lines += [f"{login}:At home" for login in self.setting]
        self._replace("users", "".join(f"{line}\n" for line in lines))

    def writeToml(self, version: int) -> None:
        """Put another TOML file in the place of the one that is there."""
        tables = (
            f'[{login}]\nname = "The {login}"\nplan = """\nTo be\nversion {version}"""\n'
            for login in self.tomlUsers
        )
        long = f'[{self.long}]\nplan = """\n{_LONG}version {version}"""\n'
        self._replace("users.toml", "".join(tables) + long)

    def _replace(self, name: str, text: str) -> None:
        new = self.folder / f"{name}.new"
        new.write_text(text)
        new.chmod(0o644)
        os.rename(new, self.folder / name)

    def someone(self, chance: random.Random) -> tuple[str, str]:
        """A kind of user, and one of it."""
        kind, logins, _ = chance.choices(_KINDS, [weight for _, _, weight in _KINDS])[0]
        return kind, chance.choice(logins)

    def isRight(self, login: str, answer: bytes, start: float, end: float) -> bool:
        """Whether that may be the answer for one user, asked for between these times."""
        if login in self.tomlUsers or login == self.long:
            named = f"{f'Login: {login}':<40}Name: The {login}\nPlan:\nTo be\n"
            begin = f"Login: long\nPlan:\n{_LONG}" if login == self.long else named
            versions = self.toml.between(start, end)
            return answer in {_sent(f"{begin}version {version}") for version in versions}
        if login in self.users:
            versions = self.file.between(start, end)
            return answer in {_sent(f"{login}, version {version}") for version in versions}
        if login in self.statuses:
            statuses = self.statuses[login].between(start, end)
            return answer in set(map(_sent, statuses))
        if login in self.programs:
            return answer == _sent(f"{login} is what a program says")
        return self._isUpstreams(login, answer, start, end)

    def _isUpstreams(self, login: str, answer: bytes, start: float, end: float) -> bool:
        modes = self.mode.between(start - _UPSTREAM_SHARED, end)
        well = _sent(f"{login} is up" if login in self.upstreams else "No such user")
        if "well" in modes and answer == well:
            return True
        return modes != {"well"} and _FAILED.fullmatch(answer) is not None

    def areRight(self, logins: list[str], answer: bytes, start: float, end: float) -> bool:
        """Whether that may be the answer for several users."""
        headings = [f"[{login}]\r\n".encode() for login in logins]
        parts = re.split(rb"\r\n(?=\[)", answer)
        return len(parts) == len(logins) and all(
            part.startswith(heading) and self.isRight(login, part.removeprefix(heading), start, end)
            for part, heading, login in zip(parts, headings, logins, strict=True)
        )

    def isList(self, answer: bytes, start: float, end: float) -> bool:
        """Whether that may be the list."""
        table, _, rest = answer.partition(b"\r\n\r\n")
        lines = table.decode().split("\r\n")
        made = start - _LIST_KEPT
        expected = [
            {_line("Login", "Name", "Status")},
            *({_line(login, "", s) for s in self._shown(login, made, end)} for login in self._rows),
            *({_line(login, f"The {login}", "")} for login in self.tomlUsers),
            {_line(self.long, "", "")},
        ]
        if len(lines) != len(expected) or any(map(_notIn, lines, expected)):
            return False
        # All of one version: a file is taken over as a whole.
        versions = {line.rpartition(" ")[2] for line in lines if line.startswith("user")}
        return len(versions) == 1 and self._isRest(rest, made, end)

    _rows = [*users, *setting]

    def _shown(self, login: str, start: float, end: float) -> set[str]:
        if login in self.statuses:
            # A list is made anew when a status is set.
            return self.statuses[login].between(start + _LIST_KEPT, end)
        return {f"{login}, version {v}" for v in self.file.between(start, end)}

    def _isRest(self, rest: bytes, start: float, end: float) -> bool:
        program = b"[the program program]\r\nAll that a program knows\r\n\r\n"
        modes = self.mode.between(start - _UPSTREAM_SHARED, end)
        if not rest.startswith(program):
            return False
        upstream = rest.removeprefix(program)
        if "well" in modes and upstream == _sent(f"[{self._upstream}]\nAll are up"):
            return True
        failed = upstream.removeprefix(b"[source 4]\r\n")
        return modes != {"well"} and failed != upstream and bool(_FAILED.fullmatch(failed))


# Of what kinds users are, who they are, and how often each kind is asked for.
_KINDS: list[tuple[str, list[str], int]] = [
    ("users file", World.users, 40),
    ("status", World.setting, 20),
    ("TOML file", World.tomlUsers, 20),
    ("long plan", [World.long], 1),
    ("program", World.programs, 4),
    ("upstream", World.upstreams, 8),
    ("unknown", World.unknown, 8),
]


def _line(*cells: str) -> str:
    widths = [max(map(len, itertools.chain(World._rows, World.tomlUsers))), len("The toml10")]
    left = "".join(f"{cell:<{width + 2}}" for cell, width in zip(cells, widths, strict=False))
    return (left + cells[-1]).rstrip()


def _sent(text: str) -> bytes:
    """What is sent of an answer."""
    return f"{text}\n".replace("\n", "\r\n").encode()


def _notIn(line: str, lines: set[str]) -> bool:
    return line not in lines
