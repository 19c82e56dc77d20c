"""What systemd is to a daemon, and the units that tell it of this one."""

from __future__ import annotations

import os
import re
import select
import socket
import tempfile
from pathlib import Path

from tests.support.daemon import PATIENCE, ROOT

SERVICE = ROOT / "etc" / "fingerd.service"
SOCKET = ROOT / "etc" / "fingerd.socket"


def setting(unit: Path, name: str) -> str:
    """What a unit sets a name to."""
    joined = unit.read_text().replace("\\\n", " ")
    [value] = re.findall(rf"^{name}=(.*)$", joined, re.M)
    return " ".join(value.split())


class Listener:
    """
    Hears what services say of themselves, as the one at C{NOTIFY_SOCKET} does, until it is
    closed.
    """

    def __init__(self, abstract: bool = False) -> None:
        """
        @param abstract: at an address that is in no folder.
        """
        self._folder = tempfile.TemporaryDirectory()
        os.chmod(self._folder.name, 0o755)
        self.address = f"{self._folder.name}/notify"
        if abstract:
            self.address = f"@{self.address}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address.replace("@", "\0"))
        if not abstract:
            # As systemd's own is.
            os.chmod(self.address, 0o777)
        self._socket.settimeout(PATIENCE)

    def close(self) -> None:
        """Hear nothing more: nobody is there any more."""
        self._socket.close()
        self._folder.cleanup()

    def hears(self) -> dict[str, str]:
        """Wait for what is said next."""
        return _read(self._socket.recv(4096))

    def heard(self) -> list[dict[str, str]]:
        """What has been said already, and wasn't heard yet."""
        said = []
        while select.select([self._socket], [], [], 0)[0]:
            said.append(self.hears())
        return said


def _read(message: bytes) -> dict[str, str]:
    return dict(line.split("=", 1) for line in message.decode().splitlines())
