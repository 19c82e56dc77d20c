"""Pages that are finished: their bytes, and what HTTP says of them (RFC 9110)."""

from __future__ import annotations

import math
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
        if known == [page.etag]:
            return True
        tags = [tag.strip().removeprefix(b"W/") for tag in b",".join(known).split(b",")]
        return page.etag in tags or tags == [b"*"]
    since = headers.getRawHeaders(b"If-Modified-Since")
    if not since or not page.since:
        return False
    try:
        return bool(stringToDatetime(since[-1]) >= page.since)
    except (ValueError, IndexError, KeyError, OverflowError):
        return False
