"""
The administrator's file that says how to ask: in TOML, and named in the URL as C{?query=FILE}.

It is read when the directory is made, while the daemon may still be root.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from urllib.parse import unquote

from fingerd.directories.watched.file_url import pathIn
from fingerd.directories.watched.regular_file import openRegular
from fingerd.model.errors import DirectoryError, reasonOf

# In bytes: it is a page that somebody wrote.
_SIZE = 1024 * 1024


def withoutQuery(rest: str) -> tuple[str, str | None]:
    """
    The URL without C{query=FILE} among what stands behind its C{?}, and the file's path, with its
    percent escapes resolved; None where the URL names none.

    @raise ValueError: where it is named twice, or is no path.
    """
    before, mark, options = rest.partition("?")
    given = options.split("&") if mark else []
    paths = [option.partition("=")[2] for option in given if option.startswith("query=")]
    others = [option for option in given if not option.startswith("query=")]
    if len(paths) > 1:
        raise ValueError("query is there twice")
    left = f"{before}?{'&'.join(others)}" if others else before
    return left, pathIn(unquote(paths[0])) if paths else None


class QueryFile:
    """
    What stands in such a file.

    @ivar path: where it is.
    """

    def __init__(self, path: str, keys: Iterable[str]) -> None:
        """
        @param keys: what can stand in it.
        @raise ValueError: where it can't be read, or has something else in it, in words.
        """
        self.path = path
        try:
            with open(openRegular(path), "rb") as file:
                data = file.read(_SIZE + 1)
                self._mode = os.fstat(file.fileno()).st_mode
        except (OSError, DirectoryError) as error:
            raise ValueError(f"can't read {path}: {reasonOf(error)}") from None
        if len(data) > _SIZE:
            raise ValueError(f"{path} has more than {_SIZE} bytes")
        try:
            self._values = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not TOML: {reasonOf(error)}") from None
        known = list(keys)
        for key in self._values:
            if key not in known:
                raise ValueError(f"{path}: {noSuch('key', key, known)}")

    def isForOthers(self) -> bool:
        """Whether any user of this machine can read it."""
        return bool(self._mode & 0o004)

    def text(self, key: str) -> str:
        """
        The text that is called ``key``; nothing, where there is none.

        @raise ValueError: where that is no text.
        """
        return self._text(key, self._values.get(key, ""))

    def flag(self, key: str) -> bool:
        """
        Whether ``key`` is true; false, where it isn't there.

        @raise ValueError: where it is neither.
        """
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise ValueError(f"{self.path}: {key} is neither true nor false")
        return value

    def texts(self, key: str) -> Mapping[str, str]:
        """
        The texts in the table that is called ``key``.

        @raise ValueError: where that is no table of texts.
        """
        table = self._values.get(key, {})
        if not isinstance(table, dict):
            raise ValueError(f"{self.path}: {key} is not a table")
        return {name: self._text(f"{key}.{name}", value) for name, value in table.items()}

    def _text(self, key: str, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{self.path}: {key} is not a text")
        if "\0" in value:
            raise ValueError(f"{self.path}: {key} has a NUL character in it")
        return value


def noSuch(kind: str, word: str, known: Iterable[str]) -> str:
    """That there is no ``kind`` of this name, and what may be meant: for the administrator."""
    like = get_close_matches(word.lower(), known, 1, 0.5)
    meant = f"is it {like[0]}?" if like else f"there are {', '.join(known)}"
    return f"there is no {kind} called {word!r}; {meant}"
