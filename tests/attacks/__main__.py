"""
``python -m tests.attacks``: every attack of L{tests.attacks.attackers} at full size, on a daemon
with all its limits as they are by default, and a table of what came of it.

The whole of it takes some minutes, and needs 11,500 descriptors.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.attacks import attackers
from tests.attacks.attackers import OPENINGS, Got, xs
from tests.attacks.floods import FLOODS
from tests.attacks.siege import Report, Siege, room
from tests.support.daemon import Daemon

_MEGABYTES = 2**20
_HEAD = (
    "| attack | offered | served | refused or closed "
    "| good queries beside it: asked / right / lost | of them settings "
    "| slowest good answer | memory before / peak / after, MB "
    "| descriptors before / peak / after | log, lines |\n|---|---|---|---|---|---|---|---|---|---|"
)


def attacks(most: int) -> dict[str, Callable[[Daemon], Got]]:
    """
    The attacks, in words and as what is to be done.

    @param most: how many clients there are, in those with most of them.
    """
    few = most // 20
    strangers = partial(attackers.strangers, count=100, openings=list(OPENINGS.values()))
    resetting = partial(attackers.resetting, count=most)
    hundred = 100 * _MEGABYTES
    return {
        "say nothing": lambda d: attackers.silent(d.port, most),
        "a byte every 3 seconds": lambda d: attackers.dripping(d.port, most, 3.0),
        "never read the list": lambda d: attackers.unread(d.port, most, b"\r\n"),
        "never read 60 KB": lambda d: attackers.unread(d.port, most, b"long\r\n"),
        "read and stay": lambda d: attackers.staying(d.port, most, b"moshez\r\n", 40, 5),
        "read and stay, one address": lambda d: attackers.staying(
            d.port, most, b"moshez\r\n", most, 5
        ),
        "reset at once": lambda d: resetting(d.port),
        "reset after the query": lambda d: resetting(d.port, query=b"moshez\r\n"),
        "reset in mid-answer": lambda d: resetting(d.port, query=b"\r\n", wait=0.02),
        "setter: say nothing": lambda d: attackers.silent(d.setterPort, few * 2),
        "setter: half a request": lambda d: attackers.silent(d.setterPort, few * 2, b"moshez\n"),
        "endless lines, bytes": lambda d: attackers.endless(d.port, 20, hundred, xs),
        "garbage from one, bytes": lambda d: attackers.endless(d.port, 1, hundred, os.urandom),
        "garbage from 20, bytes": lambda d: attackers.endless(d.port, 20, hundred, os.urandom),
        "a byte a segment": lambda d: Got(most, len(attackers.slowly(d.port, most, b"moshez\r\n"))),
        "other protocols": lambda d: strangers(d.port),
        "setter: other protocols": lambda d: strangers(d.setterPort),
    }


def line(name: str, report: Report) -> str:
    """A line of the table."""
    got, good = report.attack, report.good
    uses = (report.before, report.peak, report.after)
    cells = (
        name,
        f"{got.offered:,}",
        f"{got.served:,}",
        f"{got.closed:,}",
        f"{good.asked} / {good.right} / {len(good.lost)}",
        str(good.settings),
        f"{good.slowest * 1000:.0f} ms",
        " / ".join(f"{use.memory:.0f}" for use in uses),
        " / ".join(str(use.descriptors) for use in uses),
        str(report.logged[0]),
    )
    return f"| {' | '.join(cells)} |"


def main(most: int) -> None:
    """Attack, and print the table."""
    print(_HEAD, flush=True)
    for name, attack in attacks(room(most)).items():
        # Each meets a daemon that has had no other.
        with tempfile.TemporaryDirectory() as folder:
            _show(name, attack, Siege(Path(folder)))
    for name, flood in FLOODS.items():
        with tempfile.TemporaryDirectory() as folder:
            _show(name, partial(flood.attack, count=most), flood.siege(Path(folder)))


def _show(name: str, attack: Callable[[Daemon], Got], siege: Siege) -> None:
    with siege:
        report = siege.under(attack)
    print(line(name, report), flush=True)
    for lost in filter(None, report.good.lost):
        print(f"lost: {lost}", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
