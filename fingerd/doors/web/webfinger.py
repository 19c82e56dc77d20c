"""WebFinger (RFC 7033) and host-meta (RFC 6415): where somebody's page is, by their address."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from urllib.parse import unquote
from xml.etree.ElementTree import Element, SubElement, tostring

from fingerd.doors.web.web_form import Base, pathOf
from fingerd.model.query import NOBODY

JRD = b"application/jrd+json"
XRD = b"application/xrd+xml"
PROFILE = "http://webfinger.net/rel/profile-page"
UPDATES = "http://schemas.google.com/g/2010#updates-from"

# RFC 3986 3.1: what a URI begins with.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def asked(query: bytes) -> tuple[str, Sequence[str]]:
    """
    The resource and the relations that a query string asks for.

    @raise ValueError: where it isn't one resource, and that a URI (RFC 7033 4.2).
    """
    pairs = [part.partition(b"=")[::2] for part in query.split(b"&") if part]
    named = [(_decoded(name), _decoded(value)) for name, value in pairs]
    resources = [value for name, value in named if name == "resource"]
    if len(resources) != 1 or _SCHEME.match(resources[0]) is None:
        raise ValueError("not one resource")
    if resources[0].lower().startswith("acct:") and not all(_account(resources[0])):
        raise ValueError("not an account")
    return resources[0], [value for name, value in named if name == "rel"]


def loginOf(resource: str, base: Base) -> str:
    """
    Whose the C{resource} is; it is nobody's name where it isn't of this host.

    @raise ValueError: where it is no URI after all.
    """
    if resource.lower().startswith("acct:"):
        user, host = _account(resource)
        here = base.host.lower()
        return user if host.lower() in (here, _bare(here)) else NOBODY.user
    if resource.startswith(f"{base.url}/"):
        rest = resource.removeprefix(f"{base.url}/").removesuffix("/")
        return NOBODY.user if "/" in rest else _unquoted(rest)
    return NOBODY.user


def descriptor(login: str, base: Base, relations: Sequence[str]) -> bytes:
    """
    What is said of a user (RFC 7033 4.4). There is no link to an actor: there is none.

    @param relations: which links are wanted; all of them, where there are none.
    """
    page = base.url + pathOf(login)
    links = [
        {"rel": PROFILE, "type": "text/html", "href": page},
        {"rel": UPDATES, "type": "application/atom+xml", "href": f"{page}/feed.atom"},
    ]
    said = {
        "subject": f"acct:{pathOf(login)[1:]}@{base.host}",
        "aliases": [page],
        "links": [link for link in links if not relations or link["rel"] in relations],
    }
    return json.dumps(said).encode("ascii") + b"\n"


def hostMeta(base: Base) -> bytes:
    """Where WebFinger is, for those who ask the old way."""
    root = Element("XRD", {"xmlns": "http://docs.oasis-open.org/ns/xri/xrd-1.0"})
    template = f"{base.url}/.well-known/webfinger?resource={{uri}}"
    SubElement(root, "Link", {"rel": "lrdd", "type": JRD.decode(), "template": template})
    data: bytes = tostring(root, "utf-8", xml_declaration=True)
    return data + b"\n"


def _account(resource: str) -> tuple[str, str]:
    user, _, host = resource[len("acct:") :].rpartition("@")
    return _unquoted(user), host


def _bare(host: str) -> str:
    return re.sub(r":\d+$", "", host)


def _decoded(data: bytes) -> str:
    return _unquoted(data.decode("ascii"))


def _unquoted(text: str) -> str:
    if _BAD_ESCAPE.search(text) is not None:
        raise ValueError("not an escape")
    return unquote(text, errors="strict")
