"""Clients that do harm, or would."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from contextlib import suppress

from tests.soak.clients import addresses, connect
from tests.soak.figures import Counts

# A connection lasts 30 seconds at most (limits.py), a little more on a busy machine.
_CLOSED_BY = 40.0
_GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
    b"\xff\xfb\x1f\xff\xfb\x20" * 50,
    b"A" * 100_000,
    # To the setter too this changes nothing: there is no such user.
    b"nobody-here\r\n" * 20_000,
)


class Nuisances:
    """Slow clients, clients that break off, and clients of other protocols."""

    def __init__(self, port: int, setterPort: int, counts: Counts, chance: random.Random) -> None:
        self._port = port
        self._setterPort = setterPort
        self._counts = counts
        self._chance = chance
        self._address = addresses(2)

    async def annoy(self) -> None:
        """Do one of these things."""
        kinds = (self.silent, self.dribbling, self.deaf, self.resetting, self.garbage)
        kind = self._chance.choices(kinds, (4, 4, 4, 10, 4))[0]
        self._counts.others[kind.__name__] += 1
        # The daemon may close on them at any time.
        with suppress(OSError):
            await kind()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        onSetter = self._chance.random() < 0.2
        port = self._setterPort if onSetter else self._port
        return await connect(port, self._address())

    async def silent(self) -> None:
        """Send nothing, and wait to be closed."""
        reader, writer = await self._connect()
        try:
            await self._closed(reader, "that is silent")
        finally:
            writer.transport.abort()

    async def dribbling(self) -> None:
        """Send a byte a second, and never a line end."""
        reader, writer = await self._connect()

        async def dribble() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(1)

        dribbling = asyncio.ensure_future(dribble())
        try:
            await self._closed(reader, "that dribbles")
        finally:
            dribbling.cancel()
            writer.transport.abort()

    async def deaf(self) -> None:
        """Ask for something long, never read it, and see oneself closed."""
        _, writer = await connect(self._port, self._address(), room=4096)
        sock: socket.socket = writer.get_extra_info("socket")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            writer.write(b"long\r\n")
            start = time.monotonic()
            # Once the daemon has let go, the kernel resets what is still sent.
            while time.monotonic() - start < _CLOSED_BY:
                await asyncio.sleep(1)
                if writer.transport.is_closing() or sock.fileno() < 0:
                    return
                writer.write(b"x")
            self._counts.wrong.append(f"a client that never reads was there after {_CLOSED_BY} s")
        finally:
            writer.transport.abort()

    async def resetting(self) -> None:
        """Ask, or half ask, and reset the connection at some moment."""
        _, writer = await self._connect()
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.write(self._chance.choice((b"", b"us", b"user1\r\n", b"up1\r\n", b"prog1\n", b"\n")))
        await asyncio.sleep(self._chance.choice((0, 0, 0.001, 0.01, 0.1)))
        writer.transport.abort()

    async def garbage(self) -> None:
        """Speak something else."""
        reader, writer = await self._connect()
        try:
            writer.write(self._chance.choice(_GARBAGE))
            await self._closed(reader, "that sends garbage")
        finally:
            writer.transport.abort()

    async def _closed(self, reader: asyncio.StreamReader, who: str) -> None:
        try:
            async with asyncio.timeout(_CLOSED_BY):
                await reader.read()
        except TimeoutError:
            self._counts.wrong.append(f"a client {who} was there after {_CLOSED_BY} seconds")
