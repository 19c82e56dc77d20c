"""What an option is, and what reads the values of options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fingerd.model.user import isLogin

# The tables of a configuration file, and the headings of the help.
GROUPS: Mapping[str, str] = {
    "doors": "Doors, where queries and statuses come in",
    "directories": "Directories, where users are, here and on other hosts",
    "views": "Views, what is shown of users",
    "statuses": "Statuses, what users set",
    "logs": "Logs",
    "limits": "Limits",
    "daemon": "The daemon",
}
# And of fingerd-check.
CHECK_GROUPS: Mapping[str, str] = {
    "explain": "Why somebody is shown as they are",
}


@dataclass(frozen=True, slots=True)
class Option:
    """
    One option.

    @ivar name: its long name.
    @ivar group: the name of its group, one of L{GROUPS}.
    @ivar says: what it does, in a sentence without the full stop.
    @ivar value: what its value is called in the help; the empty text for an option without one,
        which is a key that is true or false in a file.
    @ivar default: its value where it isn't given, if that is always the same.
    @ivar unsaid: in words, what holds where it isn't given and has no C{default}.
    @ivar example: a value for the example of a file, where there is no C{default}.
    @ivar read: makes of the text of a value what it stands for; it raises ValueError, with what is
        wrong and what would be right, for a text that stands for nothing.
    @ivar repeated: whether it can be given more than once: its value is a list then.
    @ivar short: another option, and what that is to be given, if this one is only short for it.
    @ivar against: options that make no sense beside this one.
    @ivar pairs: whether it is NAME=VALUE: what the command line says of one name leaves the others
        as the file has them.
    @ivar inFile: whether a configuration file can have it.
    """

    name: str
    group: str
    says: str
    value: str = ""
    default: Any = None
    unsaid: str = ""
    example: Any = None
    read: Callable[[str], object] = str
    repeated: bool = False
    short: tuple[str, str] | None = None
    against: tuple[str, ...] = ()
    pairs: bool = False
    inFile: bool = True

    @property
    def help(self) -> str:
        """What it does, whether it can be given more than once, and its default."""
        more = "; can be given more than once" if self.repeated else ""
        default = self.unsaid or ("" if self.default is None else self.defaultText)
        return f"{self.says}{more}{f' [default: {default}]' if default else ''}"

    @property
    def defaultText(self) -> str:
        """Its default, as it is written on a command line."""
        return self.default if isinstance(self.default, str) else f"{self.default:g}"


def oneOf(*words: str) -> Callable[[str], str]:
    """What reads one of C{words}."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"it is {', '.join(words[:-1])} or {words[-1]}")
        return text

    return read


def only(check: Callable[[str], object]) -> Callable[[str], str]:
    """What reads a text that C{check} doesn't object to."""

    def read(text: str) -> str:
        check(text)
        return text

    return read


def login(text: str) -> str:
    """What reads what can be a user's login."""
    if not isLogin(text):
        raise ValueError("no user can be called that")
    return text
