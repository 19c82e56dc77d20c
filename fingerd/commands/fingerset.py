"""``fingerset``: set what this machine's finger server shows of a user."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
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

from fingerd import __version__
from fingerd.commands.told import words
from fingerd.doors.setter.grammar import MAY_END, WITH_TEXT, Setting, Verb, encode, readTold
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
_LONGEST_ANSWER = DEFAULTS.answerSize

_EXAMPLES = """\
examples:
  fingerset                            (what is set, by whom, since and until when)
  fingerset Writing
  fingerset 'Happy and well'
  fingerset --for 2h 'At lunch'        (units d, h, m and s, as in 1d12h or 90m)
  fortune | fingerset -                (a status may have several lines)
  fingerset --plan ~/.plan             (shows whatever your home is like; - is standard input)
  fingerset --hide                     (to everybody, there is no such user)
  fingerset --clear plan               (shows again what the server knows without it)
  fingerset --undo                     (takes back the last change, whatever it was)
  fingerset --user moshez 'On holiday' (for root; others set their own)

It ends with 0 when that is safely kept, with 1 when it was refused, with 2 when the command line
makes no sense, and with 3 when no server, or no answer, was found.
"""

# What is done by an option alone, and what the option's help says.
_VERBS = {
    Verb.HIDE: "be, to whoever asks, a user whom nobody knows",
    Verb.SHOW: "take --hide back",
    Verb.PUBLIC_HISTORY: "let people ask for your earlier statuses, where the server answers that",
    Verb.PRIVATE_HISTORY: "take --public-history back",
    Verb.HISTORY: "tell what was set, the newest first",
    Verb.UNDO: "take back the last change",
    Verb.ERASE: "forget all that was ever set, the history included",
}


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
    react(_run, (options, wanted, request))


def _parser() -> _Parser:
    parser = _Parser(
        "fingerset",
        description="Set what finger shows of you: your status, or your plan and more.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("status", nargs="*", help="the new status; - reads it from standard input")
    add("--version", action="version", version=f"fingerset {__version__}")
    add(
        "--clear",
        metavar="PART",
        nargs="?",
        const=Verb.STATUS,
        choices=list(WITH_TEXT),
        help="take back the status that was set; or the plan, or the project",
    )
    add("--plan", metavar="FILE", help="set the plan that is in a file, or - in standard input")
    add("--project", metavar="TEXT", help="set the project")
    for verb, does in _VERBS.items():
        add(f"--{verb}", dest="verb", action="append_const", const=verb, help=does)
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
    wanted = [
        *([Verb.STATUS] if options.status else []),
        *([Verb.PLAN] if options.plan is not None else []),
        *([Verb.PROJECT] if options.project is not None else []),
        *([Verb(options.clear)] if options.clear else []),
        *(options.verb or []),
    ]
    if len(wanted) > 1:
        raise ValueError("one thing is done at a time: give a status, or one option for another")
    verb = wanted[0] if wanted else Verb.TELL
    if options.clear and options.lasting:
        raise ValueError("what is cleared doesn't last")
    if options.lasting and verb not in MAY_END:
        raise ValueError("--for is for what is set")
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
    text = "" if options.clear else _text(verb, options, standardInput)
    return Setting(login, text, lasting, verb)


def _text(verb: Verb, options: argparse.Namespace, standardInput: BinaryIO) -> str:
    if verb not in WITH_TEXT:
        return ""
    if verb is Verb.PROJECT:
        text = str(options.project)
    elif verb is Verb.PLAN:
        text = _read(options.plan, standardInput)
    else:
        text = " ".join(options.status)
        if text == "-":
            text = _read(text, standardInput)
    if not text.strip():
        raise ValueError(f"the {verb} is empty: to take back what was set, use --clear")
    return text.strip(" \t\n")


def _read(path: str, standardInput: BinaryIO) -> str:
    """@raise ValueError: when it can't be read, in words."""
    try:
        # No server would read more.
        if path == "-":
            data = standardInput.read(DEFAULTS.bytesAfterRequest)
        else:
            with open(path, "rb") as file:
                data = file.read(DEFAULTS.bytesAfterRequest)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    return data.decode("utf-8").replace("\r\n", "\n")


async def _run(
    reactor: ReactorBase, options: argparse.Namespace, wanted: Setting, request: bytes
) -> None:
    try:
        lines = await ask(_places(reactor, options), request, reactor)
    except Trouble as trouble:
        sys.stderr.write(f"fingerset: {cleaning.cleanLine(str(trouble))}\n")
        raise SystemExit(trouble.number) from None
    told = []
    for line in lines:
        # What another version's server says more is none of this one's business.
        with suppress(ValueError):
            told.append(readTold(line))
    # A terminal may not have all letters.
    cast(TextIOWrapper, sys.stdout).reconfigure(errors="replace")
    for line in words(wanted.login, wanted.verb or Verb.STATUS, told, time.time()):
        print(line)


async def ask(
    places: list[tuple[str, IStreamClientEndpoint]], request: bytes, clock: IReactorTime
) -> Sequence[str]:
    """
    Send ``request`` to the first of ``places`` that takes a connection, and give back what the
    answer has behind its first line.

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
    first, *lines = reply.replace("\r\n", "\n").split("\n")
    if first != OK:
        raise Trouble(reply, REFUSED)
    return lines


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
