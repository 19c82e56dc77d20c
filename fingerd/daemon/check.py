"""
``fingerd-check`` and ``twistd finger --check``: what a daemon with these options would be.

No port is opened. Started by root, it looks as the user that the daemon becomes, as the daemon
does: what that user can't read is said.
"""

from __future__ import annotations

import io
import os
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.internet.task import react
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from fingerd.daemon.check_options import CheckOptions
from fingerd.daemon.explain import Explanation
from fingerd.daemon.options import Options
from fingerd.daemon.stores import schemeOf
from fingerd.daemon.tap import makeDirectory, makeService
from fingerd.directories.connected.passwords import withoutPassword
from fingerd.model.errors import CannotStart, reasonOf
from fingerd.model.fields import Field
from fingerd.model.interfaces import ICounted, IDirectory, IWithHomes
from fingerd.stores.database import Database
from fingerd.stores.memory import MemoryStore
from fingerd.stores.schema import newestCopy
from fingerd.stores.soundness import unsound
from fingerd.system import privileges

# A certificate that is good for less is worth a word.
_SOON = timedelta(days=14)

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


class _StatusesRead(MemoryStore):
    """What users have set, as the database says it now. Nothing is written."""

    def __init__(self, options: Options) -> None:
        limits = options["limits"]
        super().__init__(time.time, limits)
        self.trouble = ""
        # (Only a directory is looked at: nothing here goes over the network.)
        if options["state"] is None or schemeOf(options["state"]) is not None:
            return
        database = Database(options["state"], limits)
        try:
            if not os.path.exists(database.path):
                return
            with closing(newestCopy(database.path)) as connection:
                seen = 0
                while rows := database.news(connection.cursor(), seen):
                    for row in rows:
                        if (wrong := unsound(row)) is not None:
                            self.trouble = f"statuses in {database.path} are damaged: {wrong}"
                        else:
                            self._showing.take(*row[1:])
                        seen = row[0]
        except (sqlite3.Error, OSError) as error:
            self.trouble = f"statuses in {database.path} can't be read: {error}"


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
        globalLogPublisher.addObserver(self._warned)
        for url in options["directory"]:
            directory = makeDirectory(url, options, self._reactor)
            if IService.providedBy(directory):
                directory.privilegedStartService()
            self._directories.append((withoutPassword(url), directory))

    async def run(self) -> int:
        """
        Look as the daemon's own user, and say what is seen.

        @return: the status to end with.
        """
        options = self._options
        # Not by root: SQLite may make files beside the database.
        store = _StatusesRead(options)
        for _, directory in self._directories:
            if IService.providedBy(directory):
                directory.startService()
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
        return WARNED if warnings else WELL

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
        found: list[str] = []
        for url, directory in self._directories:
            if IWithHomes.providedBy(directory) and (closed := directory.closedHomes()):
                found.append(
                    f"{url}: the homes of {len(closed)} can't be entered, such as {closed[0]}'s: "
                    "no plan, and no .nofinger, of theirs is seen"
                )
        for option in ("listen", "web", "metrics"):
            for endpoint in self._options[option]:
                found += _certificates(endpoint)
        return found


def _certificates(endpoint: str) -> list[str]:
    """What is to be said of the certificates of a port."""
    kind, *parts = endpoint.split(":")
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    if kind == "ssl":
        key = named.get("privateKey", "server.pem")
        paths = [Path(named.get("certKey", key))]
    elif kind == "tls" and parts:
        paths = sorted(Path(parts[0]).glob("*.pem"))
    else:
        return []
    # What reads these ports has imported it, while the code could be read.
    from cryptography import x509  # noqa: PLC0415

    found = []
    for path in paths:
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            found.append(f"{path} can't be read by the daemon's user: {reasonOf(error)}")
            continue
        ends = min(each.not_valid_after_utc for each in certificates)
        if ends < datetime.now(UTC) + _SOON:
            found.append(f"the certificate {path} is good until {ends:%Y-%m-%d} only")
    return found


if __name__ == "__main__":
    main()
