"""Feeds of statuses (RFC 4287)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

from fingerd.doors.web.web_form import Base, moment, pathOf, sayable
from fingerd.model.record import Entry
from fingerd.model.user import User

KIND = b"application/atom+xml; charset=utf-8"

# RFC 4151: any date since when the host has its name will do, but always the same.
_SINCE = "2026"
_TITLE = 80
# A feed that has nothing was never changed.
_NEVER = "1970-01-01T00:00:00Z"


class FeedEntry(NamedTuple):
    """A status that somebody has set."""

    login: str
    name: str
    text: str
    set: float


def entriesOf(user: User, history: Sequence[Entry]) -> list[FeedEntry]:
    """The statuses of one user."""
    return [FeedEntry(user.login, user.name, each.text, each.set) for each in history if each.text]


def ofNow(user: User) -> list[FeedEntry]:
    """The status that shows, where the user has set it."""
    if user.report or not user.status or user.statusSet is None:
        return []
    return [FeedEntry(user.login, user.name, user.status, user.statusSet)]


def ofAll(latest: Sequence[tuple[User, Entry]]) -> list[FeedEntry]:
    """The statuses of several users."""
    return [FeedEntry(user.login, user.name, each.text, each.set) for user, each in latest]


def feed(title: str, path: str, entries: Sequence[FeedEntry], base: Base) -> bytes:
    """
    A feed.

    @param title: whose statuses it has.
    @param path: where the page is that it belongs to; the feed is below that.
    @param entries: the newest first.
    """
    entries = [entry for entry in entries if moment(entry.set)]
    root = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom"})
    _text(root, "title", title)
    _text(root, "id", f"tag:{_authority(base)},{_SINCE}:{path.strip('/') or '/'}")
    _text(root, "updated", moment(entries[0].set) if entries else _NEVER)
    _link(root, "self", "application/atom+xml", f"{base.url}{path.rstrip('/')}/feed.atom")
    _link(root, "alternate", "text/html", base.url + path)
    if not entries:
        _text(SubElement(root, "author"), "name", title)
    for entry in entries:
        _entry(root, entry, base)
    data: bytes = tostring(root, "utf-8", xml_declaration=True)
    return data + b"\n"


def _entry(root: Element, entry: FeedEntry, base: Base) -> None:
    element = SubElement(root, "entry")
    path = pathOf(entry.login)
    first = entry.text.partition("\n")[0].strip()
    _text(element, "title", first if len(first) <= _TITLE else first[: _TITLE - 1] + "\u2026")
    # To the microsecond, since one user sets no two statuses at once.
    number = int(entry.set * 1_000_000)
    _text(element, "id", f"tag:{_authority(base)},{_SINCE}:{path[1:]}/{number}")
    _text(element, "updated", moment(entry.set))
    _text(element, "published", moment(entry.set))
    author = SubElement(element, "author")
    _text(author, "name", entry.name or entry.login)
    _text(author, "uri", base.url + path)
    _link(element, "alternate", "text/html", base.url + path)
    _text(element, "content", entry.text).set("type", "text")


def _text(parent: Element, tag: str, text: str) -> Element:
    element = SubElement(parent, tag)
    element.text = sayable(text)
    return element


def _link(parent: Element, rel: str, kind: str, href: str) -> None:
    SubElement(parent, "link", {"rel": rel, "type": kind, "href": href})


def _authority(base: Base) -> str:
    """The host in an id: RFC 4151 knows names, and neither ports nor brackets."""
    return quote(base.host, safe="").replace("%", "-")
