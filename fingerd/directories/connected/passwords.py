"""Passwords don't belong into a URL: a command line is shown to all users of a machine."""

from __future__ import annotations

import re

PASSWORD_SEEN = (
    "a password on a command line can be seen by every user of this machine: put it into a file, "
    "and name that with passfile=FILE"
)

_IN_AUTHORITY = re.compile(r"(?<=//)([^/?#@:]*):.*@")
_IN_OPTION = re.compile(r"(?<=[?&])([a-z]*password)=[^&]*", re.IGNORECASE)


def withoutPassword(url: str) -> str:
    """``url`` as it may be shown: with dots in place of what may be a password."""
    return _IN_OPTION.sub(r"\1=...", _IN_AUTHORITY.sub(r"\1:...@", url))
