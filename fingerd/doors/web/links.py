"""Links in what users wrote: what is an http or https address can be clicked, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote, urlsplit

from twisted.web.template import Tag, tags

# So many addresses of a text are links, and none with more characters: more, in the plan of a user
# who means no good, would keep everybody else waiting while the page is made.
_MOST = 100
_LONGEST = 2000
# Up to what can't be in one. Brackets stand around addresses more often than in them.
_ADDRESS = re.compile(r"\bhttps?://[^\s<>\"'`{}|\\^\[\]]+", re.I)
# What ends a sentence, and not an address; so does a bracket that was opened before the address.
_BEHIND = ".,;:!?*_~"
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def linked(text: str) -> Iterator[str | Tag]:
    """C{text}, with its addresses as links that no search engine takes for ours."""
    end = 0
    for found in islice(_ADDRESS.finditer(text), _MOST):
        address = _trimmed(found[0]) if len(found[0]) <= _LONGEST else ""
        href = _href(address)
        if href is None:
            continue
        yield text[end : found.start()]
        yield tags.a(address, href=href, rel="nofollow ugc")
        end = found.start() + len(address)
    yield text[end:]


def _trimmed(address: str) -> str:
    unpaired = address.count(")") - address.count("(")
    end = len(address)
    while end and (address[end - 1] in _BEHIND or (address[end - 1] == ")" and unpaired > 0)):
        unpaired -= address[end - 1] == ")"
        end -= 1
    return address[:end]


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
