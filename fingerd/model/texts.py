"""The fixed texts of answers: RFC 1288's, the talk's and the daemon's own."""

from __future__ import annotations

NO_SUCH_USER = "No such user"
INTERNAL_ERROR = "Internal error in server"
FORWARDING_DENIED = "Finger forwarding service denied"
LIST_DENIED = "Finger online user list denied"
QUERY_TOO_LONG = "Query too long"
TOO_MANY_QUERIES = "Too many queries; try again in a minute"
TOO_MANY_LOOKUPS = "Too many queries at once; try again later"
NO_STATUS = "No status."
NO_PLAN = "No Plan."


def internalError(reference: str) -> str:
    """The answer when something fails; the log has the reason under the same reference."""
    return f"{INTERNAL_ERROR}\nReference: {reference}"
