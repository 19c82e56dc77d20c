"""What an answer says of a user: values by the names of fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fingerd.directories.connected.query_file import noSuch
from fingerd.model.errors import DirectoryError
from fingerd.model.user import HIDDEN, User, isLogin
from fingerd.text.cleaning import cleanLine

# What the fields are called in a query or in a file, and in a user.
FIELDS = {
    "login": "login",
    "name": "name",
    "status": "status",
    "office": "office",
    "office_phone": "officePhone",
    "home_phone": "homePhone",
    "project": "project",
    "plan": "plan",
    "public_key": "publicKey",
    "hidden": "hidden",
}
_SEVERAL_LINES = frozenset(["status", "plan", "publicKey"])
# SQL turns officePhone into officephone.
_BY_WORD = {word.replace("_", ""): field for word, field in FIELDS.items()}


def fieldOf(word: str) -> str:
    """
    The field that is called ``word``, as L{User} has it, or C{hidden}; case and underscores
    don't matter.

    @raise ValueError: where there is none, with the nearest one.
    """
    try:
        return _BY_WORD[word.lower().replace("_", "")]
    except KeyError:
        raise ValueError(noSuch("field", word, FIELDS)) from None


def userOf(values: Mapping[str, object], longest: int) -> User | None:
    """
    The user that an answer is about: L{HIDDEN}, where the user is not to be shown; None, where
    there is no login that anyone could ask for.

    @param values: by field.
    @param longest: the characters of a value that count; more fit into no answer.
    @raise DirectoryError: where a value isn't what it should be.
    """
    login = values["login"]
    if not isinstance(login, str) or not isLogin(login):
        return None
    if _isTrue(values.get("hidden"), login):
        return HIDDEN
    texts: dict[str, Any] = {
        field: _text(field, value, login)[:longest]
        for field, value in values.items()
        if field not in ("login", "hidden")
    }
    return User(login, **texts)


def _isTrue(hidden: object, login: str) -> bool:
    # What isn't understood is a failure: it may have been meant to hide.
    if hidden is None or hidden in (0, "FALSE"):
        return False
    if hidden in (1, "TRUE"):
        return True
    raise DirectoryError(f"hidden of {login!r} is neither true nor false")


def _text(field: str, value: object, login: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        raise DirectoryError(f"{field} of {login!r} is bytes and not a text")
    text = str(value)
    return text if field in _SEVERAL_LINES else cleanLine(text).strip()
