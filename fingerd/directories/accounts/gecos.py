"""
The GECOS field of an account, as finger(1) has always read it:
``Full Name,Office,Office phone,Home phone``. What comes after a fourth comma is nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from fingerd.directories.accounts.passwd_format import Account
from fingerd.model.user import User


class Gecos(NamedTuple):
    """What a GECOS field says. An empty text is "not known"."""

    name: str = ""
    office: str = ""
    officePhone: str = ""
    homePhone: str = ""


def parse(field: str, login: str, longest: int) -> Gecos:
    """
    What ``field`` says of the user called ``login``. An ``&`` in the name is the login,
    capitalised. It never fails: what isn't UTF-8 is shown as such.

    @param field: the field, with bytes that are not UTF-8 as Python's "surrogateescape" has them.
    @param longest: the characters that each part has at most; the rest is cut off.
    """
    text = field.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    name, *others = (part.strip()[:longest] for part in text.split(",")[: len(Gecos._fields)])
    # Cut before too: a field of nothing but "&" must not become any size.
    return Gecos(name.replace("&", login[:1].upper() + login[1:])[:longest].rstrip(), *others)


def userOf(account: Account, longest: int) -> User:
    """What an account says of its user: see L{parse} for ``longest``."""
    about = parse(account.gecos, account.login, longest)
    return User(
        account.login,
        name=about.name,
        office=about.office,
        officePhone=about.officePhone,
        homePhone=about.homePhone,
    )
