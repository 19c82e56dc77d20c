"""Which form of a page a client wants (RFC 9110 12.5.1)."""

from __future__ import annotations

import re
from functools import lru_cache

_QUALITY = re.compile(rb"q=([01](?:\.[0-9]{0,3})?)")


# What browsers and programs send is always the same.
@lru_cache(256)
def chosen(accept: bytes | None, offers: tuple[bytes, ...], otherwise: int) -> int | None:
    """
    Which of C{offers} fits best: the first of those that fit alike.

    @param accept: the header's value, or None where there is none.
    @param offers: media types, without parameters.
    @param otherwise: which of them is for a client that takes this one no less than any other
        without naming one, as C{*/*} does.
    @return: its number; None where the client takes none of them.
    """
    if not accept or not accept.strip():
        return otherwise
    wishes = [_wish(wish) for wish in accept.lower().split(b",")[:100]]
    best, number = (0.0, 0), None
    for each in (*range(len(offers)), otherwise):
        fit = max((_fit(offers[each], *wish) for wish in wishes), default=(-1, 0.0))
        # The wish that is most specific counts, and not the one with the best quality.
        specific, quality = fit
        if quality <= 0:
            continue
        rank = (quality, specific)
        if rank > best or (each == otherwise and rank == best and specific == 0):
            best, number = rank, each
    return number


def _wish(text: bytes) -> tuple[bytes, float]:
    kind, *parameters = (part.strip() for part in text.split(b";"))
    for parameter in parameters:
        found = _QUALITY.fullmatch(parameter)
        if found is not None:
            return kind, min(float(found[1]), 1.0)
    return kind, 1.0


def _fit(offer: bytes, kind: bytes, quality: float) -> tuple[int, float]:
    if kind == offer:
        return 2, quality
    if kind.endswith(b"/*") and offer.startswith(kind[:-1]) and kind != b"*/*":
        return 1, quality
    return (0, quality) if kind == b"*/*" else (-1, 0.0)
