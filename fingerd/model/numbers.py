"""Numbers as an administrator writes them."""

from __future__ import annotations

import math


def wholeNumber(text: str) -> int:
    """
    How many of something, at least one.

    @raise ValueError: where ``text`` doesn't say that.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) > 0):
        raise ValueError(f"{text!r} is not a whole number above 0")
    return int(text)


def noneOrMore(text: str) -> int:
    """As L{wholeNumber}, or none of them."""
    return 0 if text == "0" else wholeNumber(text)


def seconds(text: str) -> float:
    """
    A time in seconds.

    @raise ValueError: where ``text`` isn't one.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # Not "<= 0": that is false for NaN.
    if not 0 < number < math.inf:
        raise ValueError(f"{text!r} is not a number of seconds above 0")
    return number
