"""A table of users that can be filled and let go bit by bit."""

from __future__ import annotations

from collections.abc import Iterator

_SHARDS = 256


class Table:
    """
    Statuses by login.

    Many small dicts, since one large one takes tens of milliseconds to grow and to let go, and
    texts only, since an object for each of a million users keeps the garbage collector busy.
    """

    def __init__(self, listed: int) -> None:
        """
        @param listed: how many logins are remembered in their order.
        """
        self._shards: list[dict[str, str]] = [{} for _ in range(_SHARDS)]
        self._listed = listed
        self._first: list[str] = []

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def get(self, login: str) -> str | None:
        """The status of ``login``, or None."""
        return self._shards[hash(login) % _SHARDS].get(login)

    def put(self, login: str, status: str) -> None:
        """Give ``login`` a status, in place of the one it may have had."""
        shard = self._shards[hash(login) % _SHARDS]
        if len(self._first) < self._listed and login not in shard:
            self._first.append(login)
        shard[login] = status

    def first(self, limit: int) -> Iterator[tuple[str, str]]:
        """The first logins that were put in, and their statuses: ``limit`` of them at most."""
        for login in self._first[:limit]:
            yield login, self._shards[hash(login) % _SHARDS][login]

    def letGo(self) -> Iterator[None]:
        """Free the memory in steps. The table is not to be used once this has begun."""
        self._first.clear()
        while self._shards:
            self._shards.pop()
            yield
