"""The users that servers are asked for, and what is right to answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# Formats with a user's number, for the load generator.
QUERY = "user%1$07u\r\n"
_STATUS = "{word} the chapter about number %1$07u, and then the next one"
_WORD = "Writing"


class Format(NamedTuple):
    """
    A format of a file with users: what is written for a user, and what is then to be answered.

    @ivar written: of the number and a first word.
    @ivar most: the users that a file of this format is meant for. More belong elsewhere.
    """

    written: Callable[[int, str], str]
    answer: str
    most: int


# About 80 bytes a user.
FILE = Format(
    lambda n, word: f"user{n:07}:{word} the chapter about number {n:07}, and then the next one\n",
    f"{_STATUS}\r\n",
    1_000_000,
)
TOML = Format(
    lambda n, word: (
        f'[user{n:07}]\nname = "Somebody {n:07}"\n'
        f'status = "{word} the chapter about number {n:07}, and then the next one"\n\n'
    ),
    "Login: user%1$07u                      Name: Somebody %1$07u\r\n"
    f"Status: {_STATUS}\r\nNo Plan.\r\n",
    50_000,
)
FORMATS = {"file": FILE, "toml": TOML}


def answer(form: Format = FILE, word: str = _WORD) -> str:
    """What is right to answer, as a format with the number."""
    return form.answer.replace("{word}", word)


def write(path: Path, count: int, form: Format = FILE, word: str = _WORD, age: float = 60) -> None:
    """
    Write a file of users.

    @param age: how many seconds ago it is to have been written. A daemon waits with what was
        written a moment ago.
    """
    with open(path, "w") as file:
        file.writelines(form.written(number, word) for number in range(count))
    then = time.time() - age
    os.utime(path, (then, then))


def filled(text: str, number: int) -> bytes:
    """What a format of the load generator says for this number."""
    plain = text.replace("%1$", "%")
    return (plain % ((number,) * plain.count("%"))).encode()
