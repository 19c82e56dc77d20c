"""How many connections there may be."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Admission:
    """
    Counts the connections that are open, on all ports of one kind.

    @ivar most: how many there may be.
    @ivar roomMakers: what can close a connection that is not worth keeping, where there are as
        many as may be: each says whether there was one. Until it is closed, there may be one too
        many.
    @ivar lookers: what can find that connections of a peer are over already.
    """

    def __init__(self, most: int, perPeer: int | None = None) -> None:
        """
        @param perPeer: how many one peer may have; as many as all, if that isn't said.
        """
        self.most = most
        self.roomMakers: list[Callable[[], bool]] = []
        self.lookers: list[Callable[[str], object]] = []
        self._perPeer = sys.maxsize if perPeer is None else perPeer
        self._open = 0
        self._byPeer: dict[str, int] = {}

    def __len__(self) -> int:
        return self._open

    def enter(self, peer: str | None) -> bool:
        """
        Another connection of ``peer`` is open, if it may be; one that may not is to be closed,
        and L{leave} is not for it.

        @param peer: whom it counts as, see L{fingerd.system.addresses.peerOf}; None is nobody.
        """
        if peer is not None and not self._mayHaveMore(peer):
            return False
        if self._open >= self.most and not any(make() for make in self.roomMakers):
            return False
        if peer is not None:
            self._byPeer[peer] = self._byPeer.get(peer, 0) + 1
        self._open += 1
        return True

    def _mayHaveMore(self, peer: str) -> bool:
        if self._byPeer.get(peer, 0) < self._perPeer:
            return True
        for look in self.lookers:
            look(peer)
        return self._byPeer.get(peer, 0) < self._perPeer

    def leave(self, peer: str | None) -> None:
        """One of the connections of ``peer`` is closed."""
        self._open -= 1
        if peer is not None:
            count = self._byPeer[peer] - 1
            if count:
                self._byPeer[peer] = count
            else:
                del self._byPeer[peer]
