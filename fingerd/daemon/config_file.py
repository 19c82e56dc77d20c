"""
The configuration file: TOML, with every option by its long name.

An option stands in the table of its group, as C{listen} in C{[doors]}, or before all tables; a
limit stands by its name in C{[limits]}. An option that can be given more than once has a list, or
one text; one without a value is true or false.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from fingerd.daemon.option import GROUPS, Option
from fingerd.daemon.option_table import BY_NAME
from fingerd.model.errors import reasonOf

# A configuration is read by people; what is larger is something else.
_LARGEST = 1024 * 1024


class Said(NamedTuple):
    """What a file says of one option."""

    option: Option
    # Each as it would stand on the command line.
    texts: list[str]


def readConfig(path: str) -> list[Said]:
    """
    What the file says, in its order.

    @raise ValueError: when it can't be read or understood, with the reason in words.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ValueError(reasonOf(error)) from None
    if len(data) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST} bytes")
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it isn't TOML: {error}") from None
    return list(_said(document))


def _said(document: Mapping[str, object]) -> Iterator[Said]:
    seen: set[str] = set()
    for key, value in document.items():
        if not isinstance(value, dict):
            found = [(key, key, value)]
        elif key == "limits":
            yield Said(
                BY_NAME["limit"],
                [f"{name}={_one(f'limits.{name}', number)}" for name, number in value.items()],
            )
            continue
        elif key in GROUPS:
            found = [(f"{key}.{name}", name, inner) for name, inner in value.items()]
        else:
            raise ValueError(f"there is no table [{key}]{_like(key, GROUPS)}")
        for where, name, what in found:
            option = _option(where, name, key if isinstance(value, dict) else None)
            if name in seen:
                raise ValueError(f"{where} is there twice")
            seen.add(name)
            yield Said(option, _texts(where, option, what))


def _option(where: str, name: str, table: str | None) -> Option:
    option = BY_NAME.get(name)
    if option is None:
        raise ValueError(f"there is no key {where}{_like(name, _KEYS)}")
    if not option.inFile:
        raise ValueError(f"{where} is for the command line only")
    if table not in (None, option.group):
        raise ValueError(f"{where}: {name} belongs in the table [{option.group}]")
    return option


_KEYS = [name for name, option in BY_NAME.items() if option.inFile]


def _like(name: str, names: Mapping[str, object] | list[str]) -> str:
    [*like] = get_close_matches(name.replace("_", "-"), list(names), 1)
    if not like:
        return f"; there are {', '.join(names)}"
    if like[0] in BY_NAME and like[0] not in GROUPS:
        return f"; is it {like[0]}, in [{BY_NAME[like[0]].group}]?"
    return f"; is it [{like[0]}]?"


def _texts(where: str, option: Option, value: object) -> list[str]:
    if not option.value:
        if not isinstance(value, bool):
            raise ValueError(f"{where} is true or false")
        return [""] if value else []
    if option.repeated and isinstance(value, list):
        return [_one(where, each) for each in value]
    return [_one(where, value)]


def _one(where: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{where}: a text or a number is wanted")
