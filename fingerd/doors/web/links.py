"""Links in what users wrote: what is an http or https address can be clicked, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from twisted.web.template import Tag, tags

# Up to what can't be in one. Brackets stand around addresses more often than in them.
_ADDRESS = re.compile(r"\bhttps?://[^\s<>\"'`{}|\\^\[\]]+", re.I)
# What ends a sentence, and not an address.
_BEHIND = ".,;:!?*_~"
_PAIRS = {")": "("}
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def linked(text: str) -> Iterator[str | Tag]:
    """C{text}, with its addresses as links that no search engine takes for ours."""
    end = 0
    for found in _ADDRESS.finditer(text):
        address = _trimmed(found[0])
        href = _href(address)
        if href is None:
            continue
        yield text[end : found.start()]
        yield tags.a(address, href=href, rel="nofollow ugc")
        end = found.start() + len(address)
    yield text[end:]


def _trimmed(address: str) -> str:
    while address and (address[-1] in _BEHIND or _isUnpaired(address)):
        address = address[:-1]
    return address


def _isUnpaired(address: str) -> bool:
    opening = _PAIRS.get(address[-1])
    return opening is not None and address.count(address[-1]) > address.count(opening)


def _href(address: str) -> str | None:
    """The address as a page may have it, or None where it is none."""
    try:
        parts = urlsplit(address)
        if not parts.hostname or (parts.port is None and parts.netloc.endswith(":")):
            return None
        host = parts.netloc.encode("idna" if not parts.netloc.isascii() else "ascii").decode()
    except (ValueError, UnicodeError):
        return None
    if re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", host) is None:
        # Nobody's password is needed here, and many a trick has one.
        return None
    rest = address[len(parts.scheme) + 3 + len(parts.netloc) :]
    path = quote(_BARE_PERCENT.sub("%25", rest), safe="/?#@!$&()*+,;=:%~")
    # A second "#" is none.
    before, hash, behind = path.partition("#")
    return f"{parts.scheme.lower()}://{host}{before}{hash}{behind.replace('#', '%23')}"
