"""What the tests of statuses share: a state directory, and stores in it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from fingerd.model.errors import SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS
from fingerd.stores.database import NAME
from fingerd.stores.kept import KeptStore
from fingerd.stores.sqlite import SQLiteStore
from tests.support.daemon import PATIENCE


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process or the database's thread does."""
    while not condition():
        await deferLater(reactor, 0.005)


async def outcome(setting: Deferred[None]) -> str:
    """C{"OK"}, or the words of the refusal."""
    try:
        await setting
    except SettingRefused as refused:
        return str(refused)
    return "OK"


class KeptCase(TestCase):
    """Has a database, in which stores keep what they are given."""

    timeout = PATIENCE
    now = 1000.0

    def store(self, **limits: Any) -> KeptStore:
        """A store on the database that runs until it or the test ends."""
        raise NotImplementedError

    def rows(self, columns: str = "status", login: str = "moshez") -> list[Any]:
        """What somebody else sees in the database: a value a row, or a tuple."""
        raise NotImplementedError

    def shown(self, store: IStore, login: str = "moshez") -> str | None:
        """The text that shows, read without waiting."""
        status = store.held(login).status
        return None if status is None else status.text


class SQLiteCase(KeptCase):
    """Has a state directory."""

    def setUp(self) -> None:
        super().setUp()
        home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, home)
        self.state = os.path.join(home, "state")
        self.path = os.path.join(self.state, NAME)

    def store(self, **limits: Any) -> SQLiteStore:
        store = SQLiteStore(
            self.state, reactor, limits=replace(DEFAULTS, **limits), now=lambda: self.now
        )
        store.startService()
        self.addCleanup(lambda: store.stopService() if store.running else None)
        return store

    def rows(self, columns: str = "status", login: str = "moshez") -> list[Any]:
        with closing(sqlite3.connect(self.path)) as database:
            rows = database.execute(
                f"SELECT {columns} FROM statuses WHERE login = ? ORDER BY id", (login,)
            ).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]
