"""Users whom programs and other servers know, alone and beside other directories."""

from __future__ import annotations

import socket

from tests.wire.client import END
from tests.wire.scenarios import scenario
from tests.wire.scenarios.directories import LISTS, bothWays
from tests.wire.server import RESET, SILENCE, Trouble
from tests.wire.wire import Wire

WHO = """\
#!/bin/sh
case "$*" in
"") printf 'Login  Name\\nada    Ada Lovelace\\n' ;;
"-- ada") printf 'ada is in\\n\\n\\033[31mred\\n' ;;
"-- mute") ;;
"-- nosuch") echo "who: nosuch: no such user." >&2 ;;
"-- grumble") echo "who: the disk is on fire" >&2 ;;
"-- both") echo "out"; echo "err" >&2 ;;
"-- fails") echo "half an answer"; exit 3 ;;
"-- killed") kill -9 $$ ;;
"-- crlf") printf 'a\\r\\nb\\r\\n' ;;
"-- latin") printf 'caf\\351\\n' ;;
"-- flood") yes "a line of many" | head -c 400000 ;;
*) echo "asked: $*" ;;
esac
"""


OF_THE_PROGRAM = "ada mute nosuch grumble both fails killed crlf latin other a.b a_b-c 0"


@scenario()
def programs(wire: Wire) -> None:
    """What a program writes is shown; where it fails, there is an error with a reference."""
    path = wire.file("who", WHO, 0o755)
    daemon = wire.daemon(f"--directory=exec:{path}")
    daemon.asks(
        *LISTS, *bothWays("ada", "other"), *(f"{login}\r\n" for login in OF_THE_PROGRAM.split())
    )
    daemon.asks("flood\r\n")
    daemon.asks(".x\r\n", "-x\r\n", "josé\r\n", "a;b\r\n", "$(id)\r\n", "a" * 256 + "\r\n")
    daemon.asks("ada mute fails\r\n", ("ada", END))
    daemon.sets("ada\nSet beside it\n", "mute\nNobody\n", "fails\nNobody\n")
    daemon.asks("ada\r\n", "\r\n")


@scenario()
def programsOptions(wire: Wire) -> None:
    """A program gets its arguments as quoted; one called finger gets -m, and for /W also -l."""
    wire.file("finger", WHO, 0o755)
    folder = wire.folder
    daemon = wire.daemon(
        f"--directory=exec:{folder}/finger -s 'a b'",
        "--mask=ada",
        "--replace=asked=ASKED",
        "--match",
    )
    daemon.asks(*LISTS, *bothWays("ada", "eve"))
    wire.daemon(f"--directory=exec:{folder}/missing").asks(*LISTS, "ada\r\n")


UPSTREAM: dict[bytes, bytes | Trouble] = {
    b"\r\n": b"Login  Name\r\nada    Ada\r\nbob    Bob\r\n",
    b"/W\r\n": b"Login: ada   Name: Ada\r\nPlan:\r\nx\r\n\r\n"
    b"Login: bob   Name: Bob\r\nNo Plan.\r\n",
    b"ada\r\n": b"Login: ada   Name: Ada\r\nNo Plan.\r\n",
    b"/W ada\r\n": b"Login: ada   Name: Ada\r\nPlan:\r\nIn full\r\n",
    b"bob\r\n": b"Login: bob   Name: Bob\r\nNo Plan.\r\n",
    b"lf\r\n": b"Only\nLF\n",
    b"none\r\n": b"No line end",
    b"ours\r\n": b"No such user\r\n",
    b"debian\r\n": b"finger: debian: no such user.\r\n",
    b"bsd\r\n": b"finger: bsd: no such user\r\n",
    b"sysv\r\n": b"Login name: sysv      \t\t\tIn real life: ???\r\n",
    b"welcome\r\n": b"Welcome to Linux version 6 at example !\r\n\r\n 1 user\r\n\r\n"
    b"finger: welcome: no such user.\r\n",
    b"says\r\n": b"In my plan:\r\nNo such user\r\n",
    b"error\r\n": b"Internal error in server\r\nReference: 12345678\r\n",
    b"denied\r\n": b"Finger forwarding service denied\r\n",
    b"blank\r\n": b"\r\n",
    b"evil\r\n": b"\x1b[2Jcleared\r\n\xe2\x80\xaeevil\r\n\x9b\x00",
    b"latin\r\n": b"caf\xe9\r\n",
    "josé\r\n".encode(): b"Jos\xc3\xa9\r\n",
    b"reset\r\n": RESET,
    b"silent\r\n": SILENCE,
    b"much\r\n": b"m" * 300_000,
    b"enough\r\n": b"e" * 262_144,
}


OF_THE_SERVER = (
    "ada bob lf none ours debian bsd sysv welcome says error denied blank evil latin josé reset "
    "much enough closed"
)


@scenario()
def upstream(wire: Wire) -> None:
    """Another server's answers are passed on, cleaned; its refusals mean that nobody is there."""
    server = wire.server(UPSTREAM)
    url = f"finger://127.0.0.1:{server.port}"
    # Each list is made anew, so that it can be told when the server is asked.
    daemon = wire.daemon(f"--directory={url}", "--limit=listKept=0.000001")
    daemon.asks(
        *LISTS, *(f"{login}\r\n" for login in OF_THE_SERVER.split()), "/W ada\r\n", "/W closed\r\n"
    )
    daemon.asks("ada bob ours\r\n", "ada\x01\r\n", "/x\r\n", "-x\r\n", "ada /X\r\n", "a" * 513)
    daemon.asks("ada@127.0.0.1\r\n", "@127.0.0.1\r\n")
    daemon.sets("ada\nSet here\n", "ours\nSet here\n", "reset\nSet here\n")
    daemon.asks("ada\r\n", "/W ada\r\n", "\r\n")
    daemon = wire.daemon(f"--directory={url}", "--mask=bob", "--replace=Ada=Eve", "--no-setter")
    daemon.asks(*LISTS, "ada\r\n", "bob\r\n")
    daemon = wire.daemon(f"--directory={url}", "--limit=upstreamTime=0.2", "--no-setter")
    daemon.asks("silent\r\n")


@scenario()
def ownUpstream(wire: Wire) -> None:
    """A daemon that asks a daemon of its own kind passes on what that says."""
    users = "moshez:Happy and well\nradix:Writing\n  a web server\n"
    first = wire.daemon(f"--users={wire.file('users', users)}")
    wire.varies(f"127.0.0.1:{first.port}", "127.0.0.1:<port>")
    second = wire.daemon(f"--directory=finger://127.0.0.1:{first.port}", "--no-setter")
    second.asks(*LISTS, "moshez\r\n", "radix\r\n", "nobody\r\n", "moshez radix nobody\r\n")
    first.sets("moshez\nSet there\n")
    second.asks("moshez\r\n")


@scenario()
def severalDirectories(wire: Wire) -> None:
    """Directories are asked in their order; one that fails is no "no such user"."""
    server = wire.server(UPSTREAM)
    users = wire.file("users", "moshez:Of the file\nada:Of the file\n")
    toml = '[moshez]\nname = "Of TOML"\n[radix]\nname = "Radix"\n[ada]\nhidden = true\n'
    second = wire.file("users.toml", toml)
    program = wire.file("who", WHO, 0o755)
    daemon = wire.daemon(
        f"--directory=file:{users}",
        f"--directory=toml:{second}",
        "--directory=none:",
        f"--directory=exec:{program}",
        f"--directory=finger://127.0.0.1:{server.port}",
    )
    daemon.asks(*LISTS, "moshez\r\n", "radix\r\n", "ada\r\n", "mute\r\n", "fails\r\n", "bob\r\n")
    with socket.socket() as closed:
        # Nobody listens there, and nobody else can.
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        wire.varies(f"127.0.0.1:{port}", "127.0.0.1:<port>")
        daemon = wire.daemon(
            f"--directory=toml:{second}",
            f"--directory=finger://127.0.0.1:{port}",
            f"--directory=file:{users}",
            "--match",
        )
        daemon.asks(*LISTS, "radix\r\n", "ada\r\n", "moshez radix ada\r\n", "Radix\r\n")
        daemon.sets("radix\nSet\n", "ada\nSet\n")
        daemon.asks("\r\n", "radix\r\n")
