"""
``fingerd-check`` and ``twistd finger --check``: what a daemon with these options would be.

No port is opened. Started by root, it looks as the user that the daemon becomes, as the daemon
does: what that user can't read is said.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.internet.task import react
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from fingerd.daemon.check_certificates import readAgain, readOnce
from fingerd.daemon.check_kept import Kept
from fingerd.daemon.check_options import CheckOptions
from fingerd.daemon.explain import Explanation
from fingerd.daemon.options import Options
from fingerd.daemon.stores import schemeOf
from fingerd.daemon.tap import makeDirectory, makeKeyrings, makeService
from fingerd.directories.connected.passwords import withoutPassword
from fingerd.model.errors import CannotStart
from fingerd.model.fields import Field
from fingerd.model.interfaces import ICounted, IDirectory, IKeyring, IWithHomes
from fingerd.system import privileges

# The program ends with these.
WELL, CANNOT_START, WARNED = 0, 1, 2


@implementer(ILogObserver)
class _Warnings:
    """Keeps what is logged as a warning, or worse."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) >= LogLevel.warn:
            self.lines.append(formatEvent(event).partition("\n")[0])


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    options = CheckOptions()
    options.parseOptions(None if arguments is None else list(arguments))
    sys.exit(checked(options))


def checked(options: Options) -> int:
    """
    Say what a daemon with these options would do.

    @return: the status to end with.
    """
    options["check"] = False
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An answer may have characters that the terminal's encoding hasn't.
        sys.stdout.reconfigure(errors="replace")
    from twisted.internet import reactor  # noqa: PLC0415

    checking = _Checking(options, reactor)
    try:
        checking.asRoot()
        privileges.become(options["owner"] if os.geteuid() == 0 else options["identity"])
    except CannotStart as error:
        print(f"error: {error}")
        return CANNOT_START
    status = WELL

    async def check(reactor: object) -> None:
        nonlocal status
        status = await checking.run()

    try:
        react(check)
    except SystemExit as end:
        status = status if end.code == 0 else CANNOT_START
    return status


class _Checking:
    """One look at what a daemon would do."""

    def __init__(self, options: Options, reactor: Any) -> None:
        self._options = options
        self._reactor = reactor
        self._directories: list[tuple[str, IDirectory]] = []
        self._warned = _Warnings()
        self._kept = Kept(options)
        self._keyrings: list[IKeyring] = []
        # Of what is read by whoever starts the daemon.
        self._found: list[str] = []

    def asRoot(self) -> None:
        """
        Do what the daemon does before it gives up root.

        @raise CannotStart: when the daemon couldn't start, with the reason in words.
        """
        options = self._options
        # A socket of systemd's is there only when systemd starts the daemon.
        for option in ("listen", "web", "metrics", "setter", "ssh"):
            self._say(option, options[option])
        own = type(options)()
        own.update(options)
        own.update(
            {
                option: [each for each in options[option] if not each.startswith("systemd:")]
                for option in ("listen", "web", "metrics", "setter", "ssh")
            }
        )
        own._told = options._told
        makeService(own)
        self._kept.look(options["owner"])
        for endpoint in self._secure():
            self._found += readOnce(endpoint)
        globalLogPublisher.addObserver(self._warned)
        for url in options["directory"]:
            directory = makeDirectory(url, options, self._reactor)
            if IService.providedBy(directory):
                directory.privilegedStartService()
            self._directories.append((withoutPassword(url), directory))
        self._keyrings = makeKeyrings(options, self._reactor, options["limits"])
        for keyring in self._keyrings:
            IService(keyring).privilegedStartService()

    async def run(self) -> int:
        """
        Look as the daemon's own user, and say what is seen.

        @return: the status to end with.
        """
        options = self._options
        self._kept.look(privileges.Identity(None, None))
        store = self._kept.statuses()
        for _, directory in self._directories:
            if IService.providedBy(directory):
                directory.startService()
        for keyring in self._keyrings:
            IService(keyring).startService()
        if isinstance(options, CheckOptions) and options["explain"] is not None:
            explanation = Explanation(options, self._directories, store, self._reactor)
            for line in await explanation.of(
                options["explain"],
                options["from"] or "127.0.0.1",
                options["verbose"],
                options["at"],
            ):
                print(line)
        else:
            self._describe()
        warnings = [
            *self._warned.lines,
            *([store.trouble] if store.trouble else []),
            *self._troubles(),
        ]
        for line in warnings:
            print(f"warning: {line}")
        for line in self._kept.errors:
            print(f"error: {options.command}: {line}")
        return CANNOT_START if self._kept.errors else WARNED if warnings else WELL

    def _say(self, option: str, endpoints: Sequence[str]) -> None:
        if self._options.get("explain") is None:
            print(f"{'finger' if option == 'listen' else option}: {', '.join(endpoints) or 'off'}")

    def _describe(self) -> None:
        options, rules = self._options, self._options["rules"]
        print(f"runs as: uid {os.geteuid()}, gid {os.getegid()}")
        for url, directory in self._directories:
            if ICounted.providedBy(directory):
                count = len(directory)
                print(f"directory {url}: {count} user{'' if count == 1 else 's'}")
            else:
                print(f"directory {url}: not counted")
        state = withoutPassword(options["state"] or "in memory")
        left = ", not looked at here" if schemeOf(state) is not None else ""
        print(f"statuses: {state}{left}")
        for view in ("list", "user", "verbose"):
            fields = ", ".join(field.word for field in Field if field in getattr(rules.views, view))
            denied = " (refused: no-list)" if view == "list" and not rules.listed else ""
            print(f"the public sees, {view}: {fields}{denied}")
        if options["mask"]:
            print(f"hidden: {', '.join(options['mask'])}")

    def _troubles(self) -> list[str]:
        found = [*self._found]
        for url, directory in self._directories:
            if IWithHomes.providedBy(directory) and (closed := directory.closedHomes()):
                found.append(
                    f"{url}: the homes of {len(closed)} can't be looked into, such as "
                    f"{closed[0]}'s: no plan, and no .nofinger, of theirs is seen"
                )
        for endpoint in self._secure():
            found += readAgain(endpoint)
        return found

    def _secure(self) -> list[str]:
        """The ports that may have certificates."""
        return [each for option in ("listen", "web", "metrics") for each in self._options[option]]


if __name__ == "__main__":
    main()
