"""``fingerq``: asks finger servers, for systems that have no finger(1) any more."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import NoReturn, cast

from twisted.internet.base import ReactorBase
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.task import react
from twisted.python.failure import Failure

from fingerd import __version__
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS
from fingerd.remote.client import answerText, query, requestLine
from fingerd.remote.hosts import HostEndpoint, Resolver, canonicalHost
from fingerd.text import cleaning

_EXAMPLES = """\
examples:
  fingerq moshez@example.com      how moshez is
  fingerq @example.com            who is there
  fingerq moshez                  moshez on this machine
  fingerq -l moshez@example.com   all there is to tell of moshez
  fingerq moshez@::1 @127.0.0.1   several servers, by their addresses
  fingerq moshez@localhost:7979   at another port than 79
  fingerq me@inside@gate          gate is asked to ask inside

exit status: 0 where every server has answered, 1 where one hasn't, 2 for a wrong command line
"""

# Servers asked at a time, where many are named.
_AT_ONCE = 8


def main() -> NoReturn:
    """The console script: asks what the command line says, and exits."""
    options = parser().parse_args()
    # An answer may have characters that the terminal's encoding hasn't.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    # An interrupted program ends with this.
    status = 130

    async def ask(reactor: ReactorBase) -> None:
        nonlocal status
        asking = Deferred.fromCoroutine(_main(reactor, options))
        # Ctrl-C stops the reactor. That the connections end then is no failure.
        reactor.addSystemEventTrigger("before", "shutdown", asking.cancel)
        try:
            status = await asking
        except CancelledError:
            pass
        except BrokenPipeError:
            # Whoever reads has seen enough, as in "fingerq @host | head".
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 1

    try:
        react(ask)
    except SystemExit as end:
        # It is an unforeseen error, which react has printed.
        status = cast(int, end.code) or status
    sys.exit(status)


def parser() -> argparse.ArgumentParser:
    """What reads the command line."""
    parser = argparse.ArgumentParser(
        "fingerq",
        description="Ask finger servers (RFC 1288) who is there, and how they are.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "targets",
        nargs="*",
        type=_target,
        default=[_target("")],
        metavar="user@host",
        help="whom to ask for, and where; without a user the server's list, "
        "without a host this machine (default: this machine's list)",
    )
    parser.add_argument(
        "-l", dest="verbose", action="store_true", help="ask for all there is to tell (/W)"
    )
    parser.add_argument("--version", action="version", version=f"fingerq {__version__}")
    parser.add_argument("--port", type=_port, default=79, help="the servers' port (default: 79)")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long each server may take (default: 10)",
    )
    return parser


class _Target:
    """What is asked for, and where."""

    def __init__(self, text: str) -> None:
        self.text = text
        user, at, host = text.rpartition("@")
        host, self.port = _hostAndPort(host)
        self.user, self.host = (user, canonicalHost(host)) if at else (text, "localhost")
        # This raises ValueError for what can't be sent.
        requestLine(self.user)


def _hostAndPort(text: str) -> tuple[str, int | None]:
    """
    A host, with a port behind it as in C{localhost:79} or C{[::1]:79}; None where there is none. An
    IPv6 address without brackets has none.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if colon and (bracketed or ":" not in host):
        return host, _port(port)
    return text, None


def _target(text: str) -> _Target:
    try:
        return _Target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # Not "<= 0": that is false for NaN.
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 3600")
    return seconds


async def _main(reactor: ReactorBase, options: argparse.Namespace) -> int:
    """
    Ask all the servers, and print the answers in the order they were asked for.

    @return: the exit status.
    """
    seconds: float = options.timeout
    limits = replace(
        DEFAULTS, upstreamTime=seconds, upstreamConnectTime=seconds, nameLookups=_AT_ONCE
    )
    resolver = Resolver(reactor, limits)
    turns = DeferredSemaphore(_AT_ONCE)

    def ask(target: _Target) -> Deferred[str | DirectoryError]:
        endpoint = HostEndpoint(
            target.host, target.port or options.port, cast(IReactorTCP, reactor), resolver
        )
        asked = query(endpoint, requestLine(target.user, options.verbose), limits, reactor)
        return asked.addCallbacks(_shown, _failed)

    targets: list[_Target] = options.targets
    results = [turns.run(ask, target) for target in targets]
    status = 0
    for number, target in enumerate(targets):
        result = await results[number]
        if isinstance(result, DirectoryError):
            print(f"fingerq: {target.text}: {result}", file=sys.stderr)
            status = 1
        else:
            heading = f"[{target.text}]\n" if len(targets) > 1 else ""
            print(heading + result, flush=True)
    return status


def _shown(data: bytes) -> str:
    return cleaning.clean(answerText(data))


def _failed(failure: Failure) -> DirectoryError:
    failure.trap(DirectoryError)
    return cast(DirectoryError, failure.value)


if __name__ == "__main__":
    main()
