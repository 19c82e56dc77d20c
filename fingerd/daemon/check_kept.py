"""What C{fingerd-check} says of what a daemon keeps: its state directory and its query log."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from fingerd.daemon.options import Options
from fingerd.daemon.stores import schemeOf
from fingerd.logs.log_file import lookAtLog
from fingerd.model.errors import CannotStart
from fingerd.stores.database import FILES, Database
from fingerd.stores.memory import MemoryStore
from fingerd.stores.schema import newestCopy
from fingerd.stores.soundness import unsound
from fingerd.system.privileges import Identity
from fingerd.system.state_directory import lookAtStateDirectory


class Kept:
    """
    Where a daemon is to keep something. Nothing is made or changed there.

    @ivar errors: why it couldn't, each in words.
    """

    def __init__(self, options: Options) -> None:
        """To be made by whoever starts the daemon."""
        self.errors: list[str] = []
        self._options = options
        state, log = options["state"], options["query-log"]
        self._database: Database | None = None
        self._isThere = False
        # What is still to be looked at, by option.
        self._looks: dict[str, Callable[[Identity], bool]] = {}
        # (What is kept elsewhere would be asked over the network, which isn't done here.)
        if state is not None and schemeOf(state) is None:
            self._database = Database(state, options["limits"])
            self._isThere = os.path.exists(self._database.path)
            self._looks["state"] = lambda owner: _lookAtState(state, owner)
        if log not in ("none", "-"):
            self._looks["query-log"] = lambda owner: lookAtLog(log, owner)

    def look(self, owner: Identity) -> None:
        """
        Look as the daemon does: first by whoever starts it, then by the user that it has become.

        @param owner: the user that it is to become, with neither number where it has.
        """
        for option, look in list(self._looks.items()):
            try:
                decided = look(owner)
            except CannotStart as error:
                decided = True
                value = self._options[option]
                self.errors.append(f"{self._options.told(option, value)}: {error}")
            if decided:
                del self._looks[option]

    def statuses(self) -> StatusesRead:
        """What users have set, as the daemon's user sees it."""
        return StatusesRead(self._database if self._isThere else None, self._options)


def _lookAtState(path: str, owner: Identity) -> bool:
    """
    Whether that decides it: the user that the daemon becomes can't look at a directory that root
    gives it only when it starts.
    """
    lookAtStateDirectory(path, FILES, owner)
    try:
        return os.geteuid() == 0 == os.lstat(path).st_uid
    except FileNotFoundError:
        return True


class StatusesRead(MemoryStore):
    """
    What users have set, as the database says it now. Nothing is written.

    @ivar trouble: why that isn't all of it, in words.
    """

    def __init__(self, database: Database | None, options: Options) -> None:
        """
        @param database: one that is there, or None.
        """
        super().__init__(time.time, options["limits"])
        self.trouble = ""
        if database is None:
            return
        # Not by root: SQLite may make files beside the database.
        try:
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
            mayRead = os.access(database.path, os.R_OK)
            reason = str(error) if mayRead else f"uid {os.geteuid()} may not, as yet"
            self.trouble = f"statuses in {database.path} can't be read: {reason}"
