"""Connections to a PostgreSQL server, by psycopg (the extra C{postgresql}). They block."""

from __future__ import annotations

import math
import time
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits

# What the server is given, in seconds, to say itself that a query has taken too long.
_GRACE = 0.5


class Impatient(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing is waited for longer than C{patience} seconds."""

    patience: float

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        # psycopg waits for ever. A server whose disk hangs can't even end what takes too long.
        patience = self.patience if timeout is None else timeout
        end = time.monotonic() + patience
        try:
            return super().wait(gen, interval, patience)
        except errors.OperationalError:
            if time.monotonic() < end:
                raise
            raise DirectoryError(f"it said nothing for {patience:g} seconds") from None


def connect(conninfo: str, limits: Limits, prepare: bool = True) -> Impatient:
    """
    A connection on which each statement is a transaction, and has C{$1} for its first parameter.

    @param prepare: whether the server keeps what is often asked. Between client and server may be
        one that gives each transaction another connection: then it must not.
    @raise psycopg.Error: when there is none.
    """
    connection = Impatient.connect(
        conninfo,
        autocommit=True,
        cursor_factory=psycopg.RawCursor,
        prepare_threshold=5 if prepare else None,
    )
    connection.patience = limits.databaseTime + _GRACE
    # What such a one passes on that another client listens for would be kept for ever.
    connection.add_notify_handler(_forget)
    return connection


def _forget(notify: psycopg.Notify) -> None:
    pass


def conninfoOf(url: str, limits: Limits, **defaults: str) -> str:
    """
    What a server is connected to with: what C{url} says ("Connection URIs" in PostgreSQL's manual),
    and what is right for a daemon where the URL says nothing of it.

    @raise ValueError: when it names none, in words.
    """
    try:
        given = conninfo_to_dict(url)
        ours: dict[str, str | int | None] = {
            "connect_timeout": math.ceil(limits.databaseConnectTime),
            "fallback_application_name": "fingerd",
            # When the machine or the network between has gone, the system says so after this time.
            "tcp_user_timeout": math.ceil(1000 * limits.databaseTime),
            **defaults,
        }
        return make_conninfo("", **{**ours, **given, "client_encoding": "UTF8"})
    except psycopg.Error as error:
        raise ValueError(firstLine(error)) from None


def firstLine(error: psycopg.Error) -> str:
    """What was wrong, in a line of words."""
    return error.diag.message_primary or str(error).partition("\n")[0]
