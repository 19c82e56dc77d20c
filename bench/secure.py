"""TLS for the benches: a certificate for localhost, and clients that can close by halves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def certificate(path: Path) -> None:
    """Write a key and a certificate for localhost, good for as long as any bench takes."""
    # The other benches need no TLS.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    path.write_bytes(
        made.public_bytes(encoding)
        + key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


class TLS:
    """TLS that can be closed by halves, which asyncio's own can't."""

    def __init__(
        self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")

    async def ask(self, query: bytes, end: bool) -> bytes:
        """
        Send this, and give all that comes back.

        @param end: say behind it that no more is sent.
        """
        await self._do(self._tls.do_handshake)
        await self._do(lambda: self._tls.write(query))
        if end:
            with suppress(ssl.SSLWantReadError):
                self._tls.unwrap()
            self._flush()
        said = b""
        while received := await self._do(self._read):
            said += received
        return said

    def _read(self) -> bytes:
        try:
            return self._tls.read(65536)
        except ssl.SSLZeroReturnError:
            return b""

    async def _do(self, step: Callable[[], T]) -> T:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush()
                received = await self._reader.read(65536)
                if received:
                    self._in.write(received)
                else:
                    self._in.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if self._out.pending:
            self._writer.write(self._out.read())
