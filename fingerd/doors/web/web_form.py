"""What every form of a page has: a media type, and what is made in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import quote, urlsplit

from twisted.internet.interfaces import IReactorTime

from fingerd.model.reply import Reply
from fingerd.system import slices

T = TypeVar("T")
U = TypeVar("U")

# All that XML 1.0 can't say, and what HTML calls a parse error.
_UNSAYABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]|[\ufffe\uffff]"
)


class Base(NamedTuple):
    """
    The address that people see.

    @ivar url: as in C{https://example.com/people}, without a slash behind it.
    @ivar host: its host, with a port where that is not the usual one.
    @ivar root: its path: what stands before every link.
    """

    url: str
    host: str
    root: str = ""


class Form(Protocol):
    """One form of all pages."""

    kind: bytes

    def user(self, reply: Reply, base: Base, now: float) -> bytes:
        """A page on the users in C{reply}."""

    async def list(self, reply: Reply, base: Base, now: float, clock: IReactorTime) -> bytes:
        """A page on all who are listed, in slices."""

    def words(self, words: str, base: Base) -> bytes:
        """A page that has nothing but these words."""


def baseOf(url: str) -> Base:
    """
    The base that C{--web-url} says.

    @raise ValueError: when that is no address of a page, in words.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("it is written as https://example.com")
    if parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("it is written as https://example.com")
    host, port = parts.hostname, parts.port
    name = f"[{host}]" if ":" in host else host
    usual = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    name = name if usual else f"{name}:{port}"
    root = quote(parts.path.rstrip("/"), safe="/%~")
    return Base(f"{parts.scheme}://{name}{root}", name, root)


def pathOf(login: str) -> str:
    """Where the page of a user is, behind the base."""
    # A path of dots only would be taken for another folder.
    return "/" + (quote(login, safe="~") if login.strip(".") else login.replace(".", "%2E"))


def sayable(text: str) -> str:
    """C{text} without what neither HTML nor XML can say."""
    return text if text.isascii() and text.isprintable() else _UNSAYABLE.sub("", text)


def moment(seconds: float | None) -> str:
    """
    A time as RFC 3339 writes it, or nothing where there is none, or none that has a date.

    @param seconds: since the epoch.
    """
    try:
        date = datetime.fromtimestamp(int(seconds or 0), UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return "" if seconds is None else date.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


async def inSlices(items: Sequence[U], make: Callable[[U], T], clock: IReactorTime) -> list[T]:
    """What C{make} makes of each of C{items}, while others have their turns."""

    def steps() -> slices.Steps[list[T]]:
        made: list[T] = []
        for item in items:
            made.append(make(item))
            yield None
        return made

    return await slices.inSlices(steps(), clock)
