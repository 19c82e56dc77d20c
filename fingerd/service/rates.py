"""How often one peer may ask, and how often one user may set a status."""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import islice

from fingerd.system.shared_table import Column

# All workers together let this part of a bucket pass unseen.
_UNSEEN = 20


class Rates:
    """
    A token bucket for each peer, or user: ``perMinute`` queries in a minute, and as many at once
    after a rest. Of more than ``counted`` peers, those that have been silent longest are forgotten.

    What is kept of a peer is one number: the moment at which its bucket will be full again
    (the generic cell rate algorithm). From then on the peer is like a new one, and is forgotten
    when other peers come: the memory holds those who have asked in the last minute, and not
    everyone who ever did.
    """

    def __init__(self, perMinute: int, counted: int, column: Column | None = None) -> None:
        """
        @param column: of what several workers share, if there are any: a bucket is theirs together.
        """
        self._interval = 60.0 / perMinute
        # A bucket that would take longer than this to fill up has no token left.
        self._patience = 60.0 - self._interval * 0.5
        self._counted = counted
        self._most = perMinute
        self._full: OrderedDict[str, float] = OrderedDict()
        self._column = column
        # Seconds of a bucket that others don't see: to tell them takes time, and most peers ask
        # little.
        self._unseen = 60.0 / (_UNSEEN * column.workers) if column is not None else math.inf

    def __len__(self) -> int:
        return len(self._full)

    def take(self, peer: str, now: float, tokens: int = 1) -> bool:
        """
        Take so many tokens, if there are as many.

        @param now: in seconds, by a clock that never goes back.
        @param tokens: of more than a full bucket has, all that it has are taken.
        """
        more = min(tokens, self._most) * self._interval if tokens > 1 else self._interval
        full = self._full
        at = full.get(peer)
        if at is None:
            # Two old peers are forgotten for each new one, so that the old ones become fewer.
            for oldest in list(islice(full, 2)):
                if len(full) >= self._counted or full[oldest] <= now:
                    del full[oldest]
            at = now
        else:
            full.move_to_end(peer)
        column = self._column
        if column is not None and at - now + more > self._unseen:
            at = max(at, column.latest(peer))
        if at - now + more - self._interval > self._patience:
            return False
        full[peer] = later = (at if at > now else now) + more
        if column is not None and later - now > self._unseen:
            column.setFull(peer, later)
        return True
