"""Asking a L{bench.probe}."""

from __future__ import annotations

import json
import select
import socket
from pathlib import Path
from typing import Any

# A reload of a million users in a TOML file takes a minute or two.
_PATIENCE = 600.0


class Probing:
    """The probe in a daemon, from outside."""

    def __init__(self, folder: Path) -> None:
        """
        @param folder: as in L{bench.servers.probed}.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE)
        self._socket.connect(str(folder / "probe"))
        self._file = self._socket.makefile("rwb")

    def __enter__(self) -> Probing:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self._socket.close()

    def tell(self, command: str) -> None:
        """Give a command, whose answer is still to be heard."""
        self._file.write(command.encode() + b"\n")
        self._file.flush()

    def answers(self, seconds: float) -> bool:
        """Wait for the answer to what was told for so long; whether it is there."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def hear(self) -> Any:
        """The answer to what was told."""
        said = self._file.readline()
        if not said:
            raise ConnectionError("the daemon has ended")
        return json.loads(said)

    def ask(self, command: str) -> Any:
        """Give a command, and wait for its answer."""
        self.tell(command)
        return self.hear()
