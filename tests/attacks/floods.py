"""So many newcomers that there is no place for them, on ports of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.attacks import attackers
from tests.attacks.attackers import Got
from tests.attacks.siege import Siege
from tests.support.certificates import selfSigned
from tests.support.daemon import Daemon

_PER_SECOND = 3000
# The last ones stay: nearly twice as many as there are places.
_HELD = 900
_FEW = "--limit=connections=500"
_PROXIED = "--proxy-from=127.0.0.0/8"


class Flood(NamedTuple):
    """What each of them says, to which port, and what the daemon and its good clients need."""

    said: bytes
    setter: bool = False
    options: Sequence[str] = ()
    tls: bool = False
    before: Sequence[bytes] = ()

    def siege(self, folder: Path) -> Siege:
        """The daemon, with its files in C{folder}."""
        if not self.tls:
            return Siege(folder, *self.options, before=self.before)
        certificate = folder / "localhost.pem"
        certificate.write_bytes(selfSigned())
        certificate.chmod(0o644)
        door = f"ssl:0:privateKey={certificate}:interface=127.0.0.1"
        return Siege(folder, *self.options, door=door, certificate=certificate)

    def attack(self, daemon: Daemon, count: int) -> Got:
        """Let them come."""
        port = daemon.setterPort if self.setter else daemon.port
        return attackers.flooding(port, count, _HELD, _PER_SECOND, self.said)


FLOODS = {
    "setter: 3,000 a second": Flood(b"", setter=True),
    "setter: 3,000 a second, a letter each": Flood(b"m", setter=True),
    "500 places: 3,000 a second": Flood(b"m", options=[_FEW]),
    "TLS: 3,000 a second": Flood(b"\x16", tls=True),
    "PROXY: 3,000 a second": Flood(b"P", options=[_PROXIED], before=[b"PROXY UNKNOWN\r\n"]),
    "PROXY, 500 places: 3,000 a second": Flood(
        b"P", options=[_FEW, _PROXIED], before=[b"PROXY UNKNOWN\r\n"]
    ),
}
