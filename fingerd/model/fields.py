"""
What is shown of a user, and where: the administrator chooses (RFC 1288 2.5.1, 2.5.2, 3.2.3).

There are three views: the list, one user, and the verbose one that ``/W`` asks for (2.5.4). Each
has its fields. The login and the full name are in every view, as the RFC wants it. Any other field
can be left out, and one option leaves out the plan alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["Field", "Views", "parseFields"]


class Field(StrEnum):
    """
    Something that can be known of a user. The value is the name of the attribute of
    L{fingerd.model.user.User} that has it; a list shows the fields in the order in which they stand
    here.
    """

    LOGIN = "login"
    NAME = "name"
    STATUS = "status"
    OFFICE = "office"
    OFFICE_PHONE = "officePhone"
    HOME_PHONE = "homePhone"
    PROJECT = "project"
    PLAN = "plan"
    PUBLIC_KEY = "publicKey"

    @property
    def word(self) -> str:
        """What the field is called in an option, such as ``office-phone``."""
        return self.name.lower().replace("_", "-")

    @property
    def label(self) -> str:
        """What the field is called in an answer, such as ``Office Phone``."""
        return self.name.replace("_", " ").title()


Fields = frozenset[Field]

ALL: Fields = frozenset(Field)
# Fields whose text may have several lines; every other text is one line.
SEVERAL_LINES: Fields = frozenset({Field.STATUS, Field.PROJECT, Field.PLAN, Field.PUBLIC_KEY})
# RFC 1288 2.5.1 and 2.5.2: the full name, at least.
ALWAYS: Fields = frozenset({Field.LOGIN, Field.NAME})

# What an option can say, and the fields that it means.
FIELD_WORDS = {**{field.word: frozenset({field}) for field in Field}, "all": ALL}


def parseFields(text: str) -> Fields:
    """
    The fields that ``text`` names, separated by commas, as in ``status,office-phone``; ``all`` is
    all of them. The login and the full name needn't be named.

    @raise ValueError: where C{text} names no field, or one that there isn't, with the reason in
        words.
    """
    words = [word.strip().lower().replace("_", "-") for word in text.split(",")]
    named = [word for word in words if word]
    if not named:
        raise ValueError(f"no field is named; there are {', '.join(FIELD_WORDS)}")
    fields = ALWAYS
    for word in named:
        if word not in FIELD_WORDS:
            raise ValueError(f"{word!r} is not a field; there are {', '.join(FIELD_WORDS)}")
        fields |= FIELD_WORDS[word]
    return fields


@dataclass(frozen=True, slots=True)
class Views:
    """
    The fields of each view.

    The home phone is in no view unless an option names it. Anyone may send ``/W``, and a user who
    gave a home phone to their own machine, in ``/etc/passwd`` perhaps, didn't give it to the world.
    """

    list: Fields = ALWAYS | {Field.STATUS}
    user: Fields = ALL - {Field.HOME_PHONE, Field.PUBLIC_KEY}
    verbose: Fields = ALL - {Field.HOME_PHONE}

    def __post_init__(self) -> None:
        for view in ("list", "user", "verbose"):
            object.__setattr__(self, view, getattr(self, view) | ALWAYS)

    def ofOne(self, verbose: bool) -> Fields:
        """The fields of a user who is asked for by name; with C{verbose}, those for C{/W}."""
        return self.verbose if verbose else self.user

    def withoutPlan(self) -> Views:
        """The same without plans: RFC 1288 2.5.2 wants them turned on and off on their own."""
        plan = {Field.PLAN}
        return replace(
            self, list=self.list - plan, user=self.user - plan, verbose=self.verbose - plan
        )


def parseViews(
    list: str | None = None, user: str | None = None, verbose: str | None = None
) -> Views:
    """
    The views that the options ``--list-fields``, ``--user-fields`` and ``--verbose-fields``
    describe; None where an option wasn't given.

    The fields of one user count for the verbose view too, unless that has its own: an administrator
    who takes a field out of the one must not find that ``/W`` still shows it.

    @raise ValueError: which option can't be understood, and why.
    """
    views = Views()
    for view, text in (("list", list), ("user", user), ("verbose", verbose)):
        if text is None:
            continue
        try:
            fields = parseFields(text)
        except ValueError as error:
            raise ValueError(f"--{view}-fields {text}: {error}") from None
        views = replace(views, **{view: fields})
    if user is not None and verbose is None:
        views = replace(views, verbose=views.user)
    return views
