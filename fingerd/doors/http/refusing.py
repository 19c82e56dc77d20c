"""What is said where there is nothing to show, or no request that can be taken."""

from __future__ import annotations

from fingerd.model import texts

METHODS = (b"GET", b"HEAD")
ALLOW = b"Allow: GET, HEAD"
# By the status that stands before it.
WORDS = {
    400: "Not an HTTP request that is understood here",
    404: "No such page",
    405: "Pages can be looked at, and nothing else",
    406: "There is HTML, JSON and plain text, and nothing else",
    408: "No request came in time",
    413: "No request may have a body here",
    414: texts.QUERY_TOO_LONG,
    431: "Request headers too large",
    503: texts.INTERNAL_ERROR,
}
