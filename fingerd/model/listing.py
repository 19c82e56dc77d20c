"""What a list is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from fingerd.model.user import User


@dataclass(frozen=True, slots=True)
class Listing:
    """
    What all the sources together have to say to {C} (RFC 1288 2.5.1), in their order.

    A user with a C{report} is a source's own list, such as another finger server's: its C{login}
    is the name it is shown under.

    ``failures`` has a pair for each source that failed: a name for the source, which anyone may
    read, and what is said in its place, as L{fingerd.model.texts.internalError} words it. Failures
    are shown beside what the other sources say.
    """

    users: Sequence[User] = ()
    failures: Sequence[tuple[str, str]] = ()


class PreparedUsers(Sequence[User]):
    """
    Users, each prepared when it is taken: there may be thousands, with a plan each, of which an
    answer has room for some, and which a list that is kept would hold.
    """

    def __init__(self, users: Sequence[User], prepare: Callable[[User], User]) -> None:
        self._users = users
        self._prepare = prepare

    def __len__(self) -> int:
        return len(self._users)

    @overload
    def __getitem__(self, index: int) -> User: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[User]: ...

    def __getitem__(self, index: int | slice) -> User | Sequence[User]:
        if isinstance(index, slice):
            return PreparedUsers(self._users[index], self._prepare)
        return self._prepare(self._users[index])
