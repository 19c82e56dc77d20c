"""Pages that are finished: their bytes, and what HTTP says of them (RFC 9110)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

from twisted.web.http import datetimeToString, stringToDatetime
from twisted.web.http_headers import Headers

from fingerd.model.reply import Outcome

# What is to be asked for again each time, and costs a few bytes where nothing has changed.
FRESH = b"no-cache"
# What readers and other servers ask for by the clock.
FOR_A_WHILE = b"max-age=300"
NEVER_KEPT = b"no-store"
# Bytes that a kept page takes beside its body: its headers, its address, what it was made of. Most
# bodies are much shorter.
_BESIDE = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """
    What is sent for an address.

    @ivar first: the status line.
    @ivar headers: header lines of its own, each with its end.
    @ivar length: the header line with the size of the body.
    @ivar modified: the header line with since when it is what it is, where that is known.
    @ivar since: the same, in seconds since the epoch.
    """

    status: int
    body: bytes
    first: bytes
    headers: bytes
    length: bytes
    modified: bytes
    etag: bytes
    since: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A page, and what became of the query that it answers."""

    page: Page
    outcome: Outcome


def page(
    kind: bytes, body: bytes, caching: bytes, *lines: bytes, status: int = 200, since: float = 0.0
) -> Page:
    """
    A page.

    @param caching: the value of its Cache-Control.
    @param lines: more header lines, without their ends.
    """
    etag = b'"%b"' % sha256(body).hexdigest()[:24].encode("ascii")
    tag = (b"ETag: " + etag,) if status == 200 else ()
    own = (b"Content-Type: " + kind, b"Cache-Control: " + caching, *tag, *lines)
    second = math.ceil(since)
    return Page(
        status,
        body,
        b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode("ascii")),
        b"".join(b"%b\r\n" % line for line in own),
        b"Content-Length: %d\r\n" % len(body),
        b"Last-Modified: %b\r\n" % datetimeToString(second) if since else b"",
        etag,
        second,
    )


def notModified(headers: Headers, page: Page) -> bool:
    """Whether the client, by its C{headers}, has this very C{page} (RFC 9110 13.1)."""
    known = headers.getRawHeaders(b"If-None-Match")
    if known:
        tags = [tag.strip().removeprefix(b"W/") for tag in b",".join(known).split(b",")]
        return page.etag in tags or tags == [b"*"]
    since = headers.getRawHeaders(b"If-Modified-Since")
    if not since or not page.since:
        return False
    try:
        return bool(stringToDatetime(since[-1]) >= page.since)
    except (ValueError, IndexError, KeyError, OverflowError):
        return False


class KeptPages:
    """
    The latest page of each address, as long as what it is made of stays the same. Those that were
    asked for longest ago are forgotten, where there are too many.
    """

    def __init__(self, size: int) -> None:
        """
        @param size: how many bytes of memory they may take.
        """
        self._room = size
        self._pages: OrderedDict[Hashable, tuple[object, Page]] = OrderedDict()

    def get(self, address: Hashable, of: object) -> Page | None:
        """The page at C{address}, where the latest was made of what equals C{of}."""
        kept = self._pages.get(address)
        if kept is None or kept[0] != of:
            return None
        self._pages.move_to_end(address)
        return kept[1]

    def put(self, address: Hashable, of: object, new: Page) -> Page:
        """
        The page at C{address} that is made of C{of} now: C{new}, or where its bytes are what they
        were, the page that it was.
        """
        before = self._pages.pop(address, None)
        if before is not None:
            self._room += _sizeOf(before[1])
            if before[1].etag == new.etag and before[1].status == new.status:
                new = before[1]
        self._pages[address] = of, new
        self._room -= _sizeOf(new)
        while self._room < 0:
            _, (_, gone) = self._pages.popitem(last=False)
            self._room += _sizeOf(gone)
        return new


def _sizeOf(page: Page) -> int:
    return len(page.body) + _BESIDE
