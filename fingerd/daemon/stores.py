"""
Stores by what C{--state} says: a directory, or a kind of store and where it is, as in
C{postgresql://HOST/DATABASE}.

Kinds that aren't the daemon's own come as plugins: see L{fingerd.model.plugins.IStoreScheme}.
"""

from __future__ import annotations

import re
import time
from typing import Any

from twisted.plugin import getPlugins

from fingerd.directories.connected.passwords import PASSWORD_SEEN, withoutPassword
from fingerd.model.interfaces import IStore
from fingerd.model.limits import Limits
from fingerd.model.plugins import IStoreScheme
from fingerd.system.privileges import Identity

_POSTGRESQL = ("postgresql", "postgres")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")


def schemeOf(state: str) -> str | None:
    """The kind of store that C{state} names; None where it is a directory."""
    found = _SCHEME.match(state)
    return None if found is None else found[1]


def isPostgreSQL(state: str) -> bool:
    """Whether C{state} names a PostgreSQL database."""
    return schemeOf(state) in _POSTGRESQL


def checkPostgreSQL(url: str) -> None:
    """
    Look whether a PostgreSQL database can be used that is named so.

    @raise ValueError: when it can't, in words.
    """
    if withoutPassword(url) != url:
        raise ValueError(PASSWORD_SEEN)
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise ValueError("it needs an extra: pip install 'fingerd[postgresql]'") from None


def storeOf(
    state: str | None, owner: Identity, reactor: Any, limits: Limits, processes: int
) -> IStore:
    """
    The store that C{state} names, or one in memory for None. To be called before the daemon gives
    up its privileges: the code of a store may be out of reach afterwards.

    @param owner: the user that the daemon becomes, who is to own what it keeps.
    @param processes: how many processes of the daemon have the store at the same time.
    @raise ValueError: when there is no such store, with the reason in words.
    """
    if state is None:
        from fingerd.stores.memory import MemoryStore

        return MemoryStore(time.time, limits)
    scheme = schemeOf(state)
    if scheme is None:
        from fingerd.stores.sqlite import SQLiteStore

        return SQLiteStore(state, reactor, owner, limits)
    if isPostgreSQL(state):
        checkPostgreSQL(state)
        from fingerd.stores.postgresql.postgresql_store import PostgreSQLStore

        return PostgreSQLStore(state, reactor, limits)
    plugins = {plugin.scheme: plugin for plugin in getPlugins(IStoreScheme)}
    if scheme in plugins:
        if processes > 1 and not plugins[scheme].shared:
            raise ValueError("with --workers it must be a store that several processes can share")
        store: IStore = plugins[scheme].store(state[len(scheme) + 1 :], reactor, limits)
        return store
    known = ", ".join([_POSTGRESQL[0], *sorted(plugins)])
    raise ValueError(
        f"there is no kind of store called {scheme!r}; there are {known}; "
        f"a directory is written ./{state}"
    )
