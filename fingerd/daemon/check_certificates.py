"""What C{fingerd-check} says of the certificates of a port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fingerd.model.errors import reasonOf

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.x509 import Certificate

# What is good for less is worth a word.
SOON = timedelta(days=30)


class _Read(NamedTuple):
    """What is in a file."""

    path: Path
    certificates: list[Certificate]
    keys: list[PublicKeyTypes]


def readOnce(endpoint: str) -> Iterator[str]:
    """
    What is to be said of the certificates of a port C{ssl:}, which are read at the daemon's start,
    by whoever starts it.

    @param endpoint: an endpoint string of Twisted's, of any kind.
    """
    kind, *parts = endpoint.split(":")
    if kind != "ssl":
        return
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    # Whether the key is that of the certificate is seen when the port is made.
    yield from _times(_read([Path(named.get("certKey", named.get("privateKey", "server.pem")))])[0])


def readAgain(endpoint: str) -> Iterator[str]:
    """
    What is to be said of the certificates of a port C{tls:}, which the daemon's user reads again
    while the daemon runs.

    @param endpoint: an endpoint string of Twisted's, of any kind.
    """
    kind, *parts = endpoint.split(":")
    if kind != "tls" or not parts:
        return
    read, troubles = _read(sorted(Path(parts[0]).rglob("*.pem")))
    yield from troubles
    yield from _times(read)
    known = [_bytes(each.public_key()) for file in read for each in file.certificates]
    pairs = 0
    for file in read:
        for key in file.keys:
            if _bytes(key) in known:
                pairs += 1
            else:
                yield f"the key in {file.path} is that of no certificate in {parts[0]}"
    if not pairs and not troubles:
        yield f"there is no certificate with its key in {parts[0]}: nobody can connect"


def _read(paths: Iterable[Path]) -> tuple[list[_Read], list[str]]:
    """What the files have, and why some can't be read."""
    # What reads these ports has imported it, while the code could be read.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    read, troubles = [], []
    for path in paths:
        try:
            blocks = [f"-----BEGIN{each}" for each in path.read_text().split("-----BEGIN")[1:]]
            mine = _Read(path, [], [])
            for block in blocks:
                data = block.encode("ascii")
                if "PRIVATE KEY-----" in block.partition("\n")[0]:
                    mine.keys.append(load_pem_private_key(data, None).public_key())
                elif "CERTIFICATE-----" in block.partition("\n")[0]:
                    mine.certificates.append(x509.load_pem_x509_certificate(data))
            read.append(mine)
        except (OSError, ValueError, TypeError) as error:
            troubles.append(f"{path} can't be read by the daemon's user: {reasonOf(error)}")
    return read, troubles


def _times(read: Iterable[_Read]) -> Iterator[str]:
    now = datetime.now(UTC)
    for file in read:
        if not file.certificates:
            continue
        begins = max(each.not_valid_before_utc for each in file.certificates)
        ends = min(each.not_valid_after_utc for each in file.certificates)
        if ends <= now:
            yield f"the certificate {file.path} has expired on {ends:%Y-%m-%d}"
        elif ends < now + SOON:
            yield f"the certificate {file.path} is good until {ends:%Y-%m-%d} only"
        if begins > now:
            yield f"the certificate {file.path} is not good before {begins:%Y-%m-%d %H:%M} UTC"


def _bytes(key: PublicKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
    )

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
