"""The setter port, and the statuses that were set."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.wire.client import END, each
from tests.wire.scenarios import scenario
from tests.wire.scenarios.directories import ACCOUNTS
from tests.wire.wire import Wire

USERS = "ada:Happy\neve:\nradix:Writing\njosé:Aquí\n"
STATUSES = Path(__file__).with_name("statuses.sql")


@scenario()
def settingLines(wire: Wire) -> None:
    """The setter takes a user and a status on two lines, however they end and come."""
    daemon = wire.daemon(f"--users={wire.file('users', USERS)}")
    for request in (
        "ada\nWith LF\n",
        "ada\r\nWith CR LF\r\n",
        "ada\r\0With CR NUL\r\0",
        ("ada\nWith an end", END),
        ("ada\nWith both\n", END),
        each("ada\r\nA byte at a time\r\n"),
        ("ada", "\n", "In pieces", "\n"),
        "  ada \t\n \t White space around it \t \n",
        "ada\nWith a\tTAB\n",
        "ada\n\\n two\\nlines \\n\n",
        "ada\nback\\\\slash \\t \\\n",
        "ada\nMore behind it\nradix\nNot read\n",
        "ada\n" + "x" * 1024 + "\n",
        "ada\n☕ é 日本 \U0001f600\n",
        "ada\n\u202eturned\u202c \u200bhidden\n",
        "ada\n/W @ , : # %s $HOME\n",
        b"\xff\xfd\x03ada\nNegotiated\xff\xf1 too\n",
        "josé\nUTF-8 in the name\n",
    ):
        daemon.sets(request)
        daemon.asks("ada\r\n")
    daemon.asks("josé\r\n", "\r\n", "/W\r\n")
    daemon.sets("ada\n\n")
    daemon.asks("ada\r\n")
    daemon.sets("ada\n   \n", "ada\n\\n\n", "eve\n\n", "eve\nFor eve\n")
    daemon.asks("ada\r\n", "eve\r\n")


@scenario()
def settingUnfinished(wire: Wire) -> None:
    """Who stops in the middle has had their time, and changes nothing."""
    daemon = wire.daemon(f"--users={wire.file('users', USERS)}", "--limit=connectionTime=5")
    daemon.sets("ada\n")
    daemon.asks("ada\r\n")


@scenario()
def settingRefused(wire: Wire) -> None:
    """What can't be set is refused in words, and changes nothing."""
    daemon = wire.daemon(f"--users={wire.file('users', USERS)}", "--mask=radix")
    daemon.sets(
        (END,),
        ("ada", END),
        ("ada\n", END),
        ("\n", END),
        "\n\n",
        "\nHello\n",
        "nobody\nHello\n",
        "nobody\n\n",
        "radix\nMasked\n",
        "Ada\nAnother case\n",
        "ada eve\nTwo names\n",
        "ada,eve\nTwo names\n",
        "ada 2\nNot three\n",
        "ada@example.com\nElsewhere\n",
        "/W ada\nA switch\n",
        "../ada\nA path\n",
        "-ada\nAn option\n",
        "ada\nbell\x07\n",
        "ada\n\x1b[31mred\n",
        "ada\ndelete\x7f\n",
        "ada\nc1 \x9b\n",
        "ada\nnul\0here\n",
        "ada\ncr\rhere\n",
        "a\x01da\nHello\n",
        b"ada\ncaf\xe9\n",
        b"ad\xe9\nHello\n",
        b"ada\n\xff\xff\n",
        "a" * 1025 + "\n",
        "a" * 1025,
        "a" * 1024 + "\nHello\n",
        "ada\n" + "x" * 1025 + "\n",
        "ada\n" + "x" * 1025,
        "ada\n" + "é" * 513 + "\n",
        "ada\n" + "x" * 50_000 + "\n",
        "GET / HTTP/1.0\r\n\r\n",
        "ada\u200b\nInvisible\n",
        "/W\n/W\n",
    )
    daemon.asks("ada\r\n", "radix\r\n", "nobody\r\n", "\r\n")


@scenario()
def settingForATime(wire: Wire) -> None:
    """A third line says how long a status lasts; what it can't mean is refused in words."""
    daemon = wire.daemon(f"--users={wire.file('users', USERS)}", "--limit=statusesBelow=2")
    daemon.sets("ada\nAt work\n", "ada 3\nAt lunch\n2h\n")
    daemon.asks("ada\r\n", "\r\n", "/W ada\r\n")
    for lasting in (
        *("90s", "30m", "1h30m", "1d12h", "366d", "365d23h59m59s", " 2h ", "1d1s"),
        *("367d", "366d1s", "0s", "0d0h", "", " ", "h", "2", "2 h", "2H", "-2h", "2.5h", "30m1h"),
        *("1w", "9" * 30 + "s", "9" * 41 + "s", "\u0662h", "2h\x07", "1h1h", "forever"),
    ):
        daemon.sets(f"eve 3\nFor a while\n{lasting}\n")
    daemon.sets(
        ("ada 3\nAt lunch\n", END),
        ("ada 3\n", END),
        ("ada 3", END),
        ("ada 3\nAt lunch\n2h", END),
        each("ada 3\r\nA byte at a time\r\n2h\r\n"),
        "ada  3 \nSpaces\n2h\n",
        "ada\t3\nA TAB\n2h\n",
        "ada 3\n\n2h\n",
        "ada 3\n  \n2h\n",
        "ada 3 3\nHello\n2h\n",
        "3\nHello\n",
        " 3\nHello\n",
        "3 3\nHello\n2h\n",
        "nobody 3\nHello\n2h\n",
        b"ada 3\nHello\n\xff\xff\n",
        "ada 3\nHello\n" + "1" * 1025 + "\n",
    )
    wire.note("Earlier ones that wait to show again are two at most here.")
    daemon.sets("radix\nBelow all\n", *(f"radix 3\nFor {n}d\n{n}d\n" for n in (9, 8, 7, 6)))
    daemon.asks("radix\r\n")
    daemon.sets("radix\n\n")
    daemon.asks("radix\r\n")
    daemon = wire.daemon(
        f"--users={wire.file('users', USERS)}",
        *("--limit=setterLineLength=10", "--limit=statusTime=172800", f"--state={wire.memory}/two"),
    )
    daemon.sets(
        "ada 3\nHello\n2d\n", "ada 3\nHello\n3d\n", "ada\n12345678901\n", "ada\n1234567890\n"
    )


@scenario("unshare", root=True)
def whoMaySet(wire: Wire) -> None:
    """A user sets their own status, root and the daemon's user anyone's, others nobody's."""
    inside = wire.namespace({"passwd": ACCOUNTS})
    users = f"--users={wire.file('users', USERS)}"
    daemon = wire.daemon(users, inside=inside)
    daemon.sets("ada\nBy root\n", "eve\nBy root\n", uid=0)
    daemon.sets("ada\nBy the daemon's user\n", uid=65534)
    daemon.sets("ada\nBy ada\n", "ada 3\nBy ada\n2h\n", "ada\n\n", "Ada\nx\n", uid=1001)
    daemon.sets("eve\nBy ada\n", "eve\n\n", "nobody\nBy ada\n", "root\nBy ada\n", uid=1001)
    daemon.sets("ada\nBy eve\n", "ada\nbell\x07\n", "eve\nBy eve\n", uid=1002)
    daemon.sets("ada\nBy nobody known\n", "nobody\nx\n", "4242\nx\n", uid=4242)
    daemon.asks("ada\r\n", "eve\r\n", "\r\n")
    daemon = wire.daemon(users, "--set-policy=anyone", f"--state={wire.memory}/two", inside=inside)
    daemon.sets("ada\nBy nobody known\n", "eve 3\nBy nobody known\n2h\n", "nobody\nx\n", uid=4242)
    daemon.asks("ada\r\n", "eve\r\n")
    daemon = wire.daemon(users, "--create", f"--state={wire.memory}/three", inside=inside)
    daemon.sets("daemon\nI made myself\n", "ada\nNot mine\n", "new\nNot mine\n", uid=1)
    daemon.asks("daemon\r\n", "new\r\n", "\r\n")


@scenario()
def creating(wire: Wire) -> None:
    """With --create a status makes a user, who is there as long as the status is."""
    users = f"--users={wire.file('users', USERS)}"
    daemon = wire.daemon(users, "--create", "--set-policy=anyone", "--mask=radix", "--mask=eva")
    daemon.asks("new\r\n")
    daemon.sets(
        "new\nI am new\n",
        "Zoë\nMe too\n",
        "radix\nMasked\n",
        "eva\nMasked\n",
        "two words\nNo\n",
        "a@b\nNo\n",
        "/x\nNo\n",
        "-x\nNo\n",
        "a,b\nNo\n",
        "\nNo\n",
        "tur\u202ened\nNo\n",
        "gone\n\n",
        "short 3\nFor a time\n1h\n",
        "x" * 1024 + "\nA long name\n",
    )
    daemon.asks(
        "new\r\n", "/W new\r\n", "Zoë\r\n", "eva\r\n", "gone\r\n", "short\r\n", "new ada\r\n"
    )
    daemon.asks("\r\n", "/W\r\n")
    daemon.sets("new\n\n")
    daemon.asks("new\r\n", "\r\n")
    daemon.end()
    wire.note("After a restart, without --create")
    daemon = wire.daemon(users)
    daemon.asks("Zoë\r\n", "short\r\n", "\r\n")


@scenario()
def afterARestart(wire: Wire) -> None:
    """What was set is there after a restart; without a setter the directories speak alone."""
    users = f"--users={wire.file('users', USERS)}"
    daemon = wire.daemon(users)
    daemon.sets("ada\nSet\n", "radix 3\nFor a day\n1d\n", "eve\nSet\n", "eve\n\n", "josé\nPuesto\n")
    daemon.asks("\r\n")
    daemon.end()
    wire.note("After a restart")
    daemon = wire.daemon(users)
    daemon.asks("\r\n", "ada\r\n", "radix\r\n", "eve\r\n", "josé\r\n")
    daemon.sets("ada\n\n", "radix\nSet for good\n")
    daemon.end()
    wire.note("After another one")
    wire.daemon(users).asks("\r\n", "ada\r\n", "radix\r\n")
    wire.daemon(users, "--no-setter").asks("\r\n", "ada\r\n", "radix\r\n")


@scenario()
def keptStatuses(wire: Wire) -> None:
    """Statuses that an earlier daemon has kept still show, where their time isn't up."""
    state = Path(wire.memory, "state")
    state.mkdir()
    path = state / "statuses.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(STATUSES.read_text("utf-8"))
    if os.geteuid() == 0:
        for owned in (state, path):
            os.chown(owned, 65534, 65534)
    users = wire.file("users.toml", "".join(f"[{login}]\nname = 'N'\n" for login in "abcdefg"))
    daemon = wire.daemon(f"--directory=toml:{users}")
    daemon.asks("\r\n", "/W\r\n", *(f"{login}\r\n" for login in "abcdefg"))
    daemon.sets("a\nSet anew\n", "f\n\n")
    daemon.asks("a\r\n", "f\r\n")
    daemon.end()
    daemon = wire.daemon(f"--directory=toml:{users}", "--create")
    daemon.asks("\r\n", "kept\r\n")
