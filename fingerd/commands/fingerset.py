"""``fingerset``: set a status on this machine's finger server."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from collections.abc import Sequence
from typing import BinaryIO, NoReturn, cast

from twisted.internet import error
from twisted.internet.base import ReactorBase
from twisted.internet.defer import TimeoutError
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import react

from fingerd.doors.setter.grammar import Setting, encode
from fingerd.doors.setter.setter_protocol import OK
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS
from fingerd.remote.client import FingerClient, FingerClientFactory
from fingerd.text import cleaning
from fingerd.text.lasting import seconds

SOCKET = "/run/fingerd/set"
PORT = 1079

# The program ends with these. Where its options make no sense, it is argparse's own 2.
REFUSED = 1
NO_ANSWER = 3

# No more bytes fit a struct sockaddr_un. Twisted would try a longer path until its time is over.
_LONGEST_PATH = 107
# No answer of a setter has more bytes.
_LONGEST_ANSWER = 4096

_EXAMPLES = """\
examples:
  fingerset Writing
  fingerset 'Happy and well'
  fingerset --for 2h 'At lunch'        (units d, h, m and s, as in 1d12h or 90m)
  fortune | fingerset -                (a status may have several lines)
  fingerset --clear
  fingerset --user moshez 'On holiday' (for root; others set their own)

It ends with 0 when the status is safely kept, with 1 when it was refused, with 2 when the command
line makes no sense, and with 3 when no server, or no answer, was found.
"""


class Trouble(Exception):
    """What went wrong, in words, and the number to end with."""

    def __init__(self, words: str, number: int) -> None:
        super().__init__(words)
        self.number = number


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the command line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {cleaning.cleanLine(message)}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program; it ends with what happened."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        wanted = _wanted(options, sys.stdin.buffer)
        request = encode(wanted)
    except UnicodeError:
        # Where an argument isn't UTF-8, Python has put surrogates into it.
        parser.error("a status is UTF-8 text")
    except ValueError as error:
        parser.error(str(error))
    react(_run, (options, request))


def _parser() -> _Parser:
    parser = _Parser(
        "fingerset",
        description="Set the status that finger shows of you.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("status", nargs="*", help="the new status; - reads it from standard input")
    add("--clear", action="store_true", help="take back what was set")
    add("--for", metavar="TIME", dest="lasting", help="how long it lasts; the old one is back then")
    add("--user", metavar="LOGIN", help="whose status it is [default: yours]")
    add("--socket", metavar="PATH", help=f"ask this UNIX socket [default: {SOCKET}]")
    add(
        "--port",
        metavar="N",
        type=int,
        help=f"ask this TCP port of this machine [default: {PORT}, if the socket can't be reached]",
    )
    return parser


def _wanted(options: argparse.Namespace, standardInput: BinaryIO) -> Setting:
    """
    What to ask for.

    @raise ValueError: when the options make no sense together, in words.
    """
    if options.clear == bool(options.status):
        raise ValueError("give a status, or - to read it from standard input, or --clear")
    if options.clear and options.lasting:
        raise ValueError("what is cleared doesn't last")
    if options.port is not None and not 0 < options.port < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    if len(os.fsencode(options.socket or "")) > _LONGEST_PATH:
        raise ValueError(f"a socket's path has {_LONGEST_PATH} bytes at most")
    lasting = None
    if options.lasting is not None:
        lasting = seconds(options.lasting)
    login = options.user
    if login is None:
        try:
            login = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            raise ValueError(f"uid {os.getuid()} has no account: use --user") from None
    if not login or any(sign.isspace() for sign in login):
        raise ValueError(f"no user can be called {login!r}")
    text = "" if options.clear else " ".join(options.status)
    if text == "-":
        # No server would read more.
        data = standardInput.read(DEFAULTS.bytesAfterRequest)
        text = data.decode("utf-8").replace("\r\n", "\n")
    if not options.clear and not text.strip():
        raise ValueError("the status is empty: to take back what was set, use --clear")
    return Setting(login, text.strip(), lasting)


async def _run(reactor: ReactorBase, options: argparse.Namespace, request: bytes) -> None:
    try:
        await ask(_places(reactor, options), request, reactor)
    except Trouble as trouble:
        sys.stderr.write(f"fingerset: {cleaning.cleanLine(str(trouble))}\n")
        raise SystemExit(trouble.number) from None


async def ask(
    places: list[tuple[str, IStreamClientEndpoint]], request: bytes, clock: IReactorTime
) -> None:
    """
    Send ``request`` to the first of ``places`` that takes a connection.

    @raise Trouble: unless the answer is that all is well.
    """
    factory = FingerClientFactory(request, _LONGEST_ANSWER)
    failed = []
    for place, endpoint in places:
        try:
            client = cast(FingerClient, await endpoint.connect(factory))
            break
        except (error.ConnectError, error.TimeoutError, OSError, ValueError) as trouble:
            failed.append(f"{place}: {_reason(trouble)}")
    else:
        raise Trouble(f"no server to ask ({'; '.join(failed)})", NO_ANSWER)
    # The server ends every connection in this time.
    answering = client.answer.addTimeout(DEFAULTS.connectionTime, clock)
    try:
        reply = (await answering).decode("utf-8", "replace").strip()
    except (TimeoutError, DirectoryError):
        reply = ""
    if not reply:
        raise Trouble(f"no answer from {place}: it may be set or not", NO_ANSWER)
    if reply != OK:
        raise Trouble(reply, REFUSED)


def _places(
    reactor: ReactorBase, options: argparse.Namespace
) -> list[tuple[str, IStreamClientEndpoint]]:
    """Where to ask, in this order."""
    places: list[tuple[str, IStreamClientEndpoint]] = []
    neither = options.socket is None and options.port is None
    if options.socket is not None or neither:
        path = options.socket or SOCKET
        places.append((path, UNIXClientEndpoint(reactor, path)))
    if options.port is not None or neither:
        port = options.port or PORT
        places.append((f"127.0.0.1:{port}", TCP4ClientEndpoint(reactor, "127.0.0.1", port)))
        places.append((f"[::1]:{port}", TCP6ClientEndpoint(reactor, "::1", port)))
    return places


def _reason(error: Exception) -> str:
    number = getattr(error, "osError", None) or getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error)
