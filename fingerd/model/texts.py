"""The fixed texts of answers: RFC 1288's, the talk's and the daemon's own."""

from __future__ import annotations

NO_SUCH_USER = "No such user"
INTERNAL_ERROR = "Internal error in server"
FORWARDING_DENIED = "Finger forwarding service denied"
LIST_DENIED = "Finger online user list denied"
QUERY_TOO_LONG = "Query too long"
TOO_MANY_QUERIES = "Too many queries; try again in a minute"
TOO_MANY_LOOKUPS = "Too many queries at once; try again later"
TOO_MANY_SETTINGS = "Not set: too many statuses in a minute, try again later"
NO_STATUS = "No status."
NO_PLAN = "No Plan."
NO_CONTROL_CHARACTERS = "Not set: a status has no control characters"
NOT_LASTING = "Not set: what is cleared doesn't last"


def internalError(reference: str) -> str:
    """The answer when something fails; the log has the reason under the same reference."""
    return f"{INTERNAL_ERROR}\nReference: {reference}"
