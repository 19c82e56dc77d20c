"""How long something lasts, as people write it."""

from __future__ import annotations

import re

_TIME = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_SECONDS = (86400, 3600, 60, 1)


def seconds(text: str) -> int:
    """
    How long ``text``, such as ``1h30m``, is.

    @raise ValueError: when it is no time, in words.
    """
    found = _TIME.fullmatch(text)
    # A client may send as many digits as a line holds, and int() of those takes long.
    if found is None or not text or len(text) > 40:
        raise ValueError("how long it lasts is a time such as 90s, 30m, 2h or 1d12h")
    return sum(
        int(number) * unit for number, unit in zip(found.groups(), _SECONDS, strict=True) if number
    )
