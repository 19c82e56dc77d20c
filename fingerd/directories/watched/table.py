"""A table of users that can be filled and let go bit by bit."""

from __future__ import annotations

from collections.abc import Iterator

_SHARDS = 256
# So many users are let go in one step.
_LET_GO = 128


class Table:
    """
    A text for each login: the status, or whatever else a directory knows of a user.

    The table is made of many small dicts, since one large dict takes tens of milliseconds to grow
    and to let go. It has texts only, since an object for each of a million users keeps the garbage
    collector busy.
    """

    def __init__(self, listed: int) -> None:
        """
        @param listed: how many logins are remembered in their order.
        """
        # None is the text of a hidden login.
        self._shards: list[dict[str, str | None]] = [{} for _ in range(_SHARDS)]
        self._listed = listed
        self._first: list[str] = []
        self._hidden = 0

    def __len__(self) -> int:
        return sum(map(len, self._shards)) - self._hidden

    def __contains__(self, login: str) -> bool:
        """Whether there is such a login, be it hidden."""
        return login in self._shards[hash(login) % _SHARDS]

    def get(self, login: str) -> str | None:
        """The text of ``login``, or None, in the same time whether it is hidden or unknown."""
        return self._shards[hash(login) % _SHARDS].get(login)

    def put(self, login: str, text: str) -> None:
        """Give ``login``, which is not hidden, a text, in place of the one it may have had."""
        shard = self._shards[hash(login) % _SHARDS]
        if len(self._first) < self._listed and login not in shard:
            self._first.append(login)
        shard[login] = text

    def hide(self, login: str) -> None:
        """Remember ``login``, which is new, only as one that is taken."""
        self._shards[hash(login) % _SHARDS][login] = None
        self._hidden += 1

    def first(self, limit: int) -> Iterator[tuple[str, str]]:
        """The first logins that were put in, and their texts: ``limit`` of them at most."""
        for login in self._first[:limit]:
            text = self.get(login)
            if text is not None:
                yield login, text

    def letGo(self) -> Iterator[None]:
        """Free the memory in steps. The table is not to be used once this has begun."""
        self._first.clear()
        while self._shards:
            shard = self._shards.pop()
            # Its texts lie among those of all the others, so nearly all of the memory is given back
            # to the system with the last few shards: these have to go in small steps.
            while len(shard) > _LET_GO:
                for _ in range(_LET_GO):
                    shard.popitem()
                yield
            shard.clear()
            yield
