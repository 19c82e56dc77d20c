"""
The GECOS field of an account, as finger(1) has always read it:
``Full Name,Office,Office phone,Home phone``. What comes after a fourth comma is nothing.
"""

from __future__ import annotations

from typing import Any

from fingerd.directories.accounts.passwd_format import Account
from fingerd.model.user import User

_PARTS = ("name", "office", "officePhone", "homePhone")


def userOf(account: Account, longest: int) -> User:
    """
    What an account says of its user. An ``&`` in the name is the login, capitalised. Any field can
    be read: bytes in it that are not UTF-8 are shown as such.

    @param longest: the characters that each part has at most. The rest is cut off.
    """
    text = account.gecos.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    parts = [part.strip()[:longest] for part in text.split(",")]
    # The name has been cut already: a field of nothing but "&" must not become any size.
    login = account.login[:1].upper() + account.login[1:]
    parts[0] = parts[0].replace("&", login)[:longest].rstrip()
    about: dict[str, Any] = dict(zip(_PARTS, parts, strict=False))
    return User(account.login, **about)
