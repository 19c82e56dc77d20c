"""Users in a TOML file, read again when it changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from io import FileIO
from typing import BinaryIO

from twisted.internet.interfaces import IReactorTime

from fingerd.directories.toml import toml_format
from fingerd.directories.toml.reading_process import ReadingProcess
from fingerd.directories.watched.file_url import pathIn
from fingerd.directories.watched.table import Table
from fingerd.directories.watched.watched_file import WatchedFile
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User


class TomlFile(WatchedFile):
    """
    The users in a TOML file; see L{fingerd.directories.toml.toml_format} for its format.

    It takes a minute to understand what is said of a million users. At the start the daemon
    waits for that; later it is done in another process, which sends the users back.
    """

    _parts = "users"

    def __init__(
        self,
        path: str,
        clock: IReactorTime,
        limits: Limits = DEFAULTS,
        now: Callable[[], float] = time.time,
        read: Callable[[BinaryIO, int], Iterator[bytes]] = toml_format.records,
    ) -> None:
        """
        @param clock: the reactor.
        @param now: the time in seconds since the epoch, as files have it.
        @param read: what reads the file in the other process.
        """
        super().__init__(path, clock, limits, now)
        self._process = ReadingProcess(
            lambda file: read(file, limits.tomlUser), limits.readingSilence, clock
        )

    def privilegedStartService(self) -> None:
        # Before anything is in memory.
        self._process.start()
        try:
            super().privilegedStartService()
        except BaseException:
            self._process.stop()
            raise

    def startService(self) -> None:
        super().startService()
        self._process.start()
        self._process.follow()

    def stopService(self) -> None:
        super().stopService()
        self._process.stop()

    def _reader(self, table: Table) -> toml_format.TomlReader:
        return toml_format.TomlReader(table, self._limits.tomlUser)

    def _user(self, login: str, text: str) -> User:
        return toml_format.user(login, text)

    def _pieces(self, file: FileIO) -> Generator[bytes | None, None, None]:
        if self._state is None:
            yield from toml_format.records(file, self._limits.tomlUser)
        else:
            yield from self._process.read(file)


def fromURL(rest: str, clock: IReactorTime, limits: Limits = DEFAULTS) -> TomlFile:
    """
    The directory that ``toml:PATH`` names.

    @param rest: the URL without ``toml:``.
    @raise ValueError: when that is no path, in words.
    """
    return TomlFile(pathIn(rest), clock, limits)
