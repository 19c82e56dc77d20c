"""
All kinds of clients at once: those who ask, over TCP and over TLS, those who set statuses or may
not, those who speak something else, and those who just stay.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import users
from bench.secure import TLS

# A connection lasts 30 seconds at most, a little more on a busy machine.
_PATIENCE = 45.0
_LATE = 0.02
_RESET = struct.pack("ii", 1, 0)
_UNKNOWN = b"No such user\r\n"
_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)
_GARBAGE = (
    _HELLO,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
    b"\xff\xfb\x1f\xff\xfb\x20" * 50,
    b"A" * 100_000,
)
_REFUSED = (
    b"nobody-here\nAway\n",
    b"user0000000\nA bell \x07\n",
    b"user0000000\n\xff\xfe\n",
    b"user0000000 3\nAway\nsoon\n",
    b"user0000000\n" + b"x" * 2000 + b"\n",
)
# How often each kind of client comes, to all.
KINDS = {
    "asks": 40.0,
    "asksLate": 10.0,
    "asksForNobody": 6.0,
    "asksForSeveral": 5.0,
    "lists": 4.0,
    "halfCloses": 8.0,
    "asksOverTLS": 7.0,
    "halfClosesTLS": 4.0,
    "breaksOffTLS": 1.0,
    "sets": 3.0,
    "isRefused": 6.0,
    "talksGarbage": 3.0,
    "resets": 2.0,
    "isSilent": 0.5,
    "isDeaf": 0.5,
}


@dataclass(frozen=True)
class Ports:
    """
    Where the daemon listens, on 127.0.0.1.

    @ivar certificate: the file that the TLS port's clients trust.
    """

    finger: int
    tls: int
    setter: int
    certificate: Path


@dataclass
class Seen:
    """How often each kind of client came, and how many didn't get what they should have."""

    came: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


class Mixed:
    """
    The clients.

    @ivar seen: what came of them.
    """

    def __init__(self, ports: Ports, count: int, peers: int, chance: random.Random) -> None:
        """
        @param count: how many users the daemon has, of L{users.FILE}. The status of the second half
            of them is set.
        @param peers: from how many addresses the clients come.
        """
        self.seen = Seen()
        self._ports = ports
        self._half = count // 2
        self._peers = peers
        self._chance = chance
        self._answer = users.answer()
        self._tls = ssl.create_default_context(cafile=ports.certificate)

    async def come(self, rate: float, seconds: float, kinds: Mapping[str, float] = KINDS) -> None:
        """
        Come for so long, whether or not those who came before have gone.

        @param rate: clients a second.
        @param kinds: how often each kind comes.
        """
        loop = asyncio.get_running_loop()
        names, weights = list(kinds), list(kinds.values())
        next_ = loop.time()
        end = next_ + seconds
        async with asyncio.TaskGroup() as there:
            while next_ < end:
                (name,) = self._chance.choices(names, weights)
                there.create_task(self._one(name))
                next_ += self._chance.expovariate(rate)
                await asyncio.sleep(next_ - loop.time())

    async def _one(self, name: str) -> None:
        do: Callable[[], Coroutine[Any, Any, bool]] = getattr(self, f"_{name}")
        self.seen.came[name] += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                right = await do()
        except OSError:
            # Also what takes too long.
            right = False
        self.seen.faults[name] += not right

    async def _asks(self) -> bool:
        number = self._number()
        said = await self._exchange(self._ports.finger, b"user%07d\r\n" % number)
        return said == users.filled(self._answer, number)

    async def _asksLate(self) -> bool:
        number = self._number()
        said = await self._exchange(self._ports.finger, b"user%07d\r\n" % number, wait=_LATE)
        return said == users.filled(self._answer, number)

    async def _asksForNobody(self) -> bool:
        name = b"nobody%d\r\n" % self._chance.randrange(10**9)
        return await self._exchange(self._ports.finger, name) == _UNKNOWN

    async def _asksForSeveral(self) -> bool:
        numbers = self._number(), self._number()
        said = await self._exchange(self._ports.finger, b"user%07d user%07d nobody\r\n" % numbers)
        return all(users.filled(self._answer, number) in said for number in numbers)

    async def _lists(self) -> bool:
        verbose = self._chance.choice((b"", b"/W"))
        said = await self._exchange(self._ports.finger, verbose + b"\r\n")
        return b"user0000000" in said

    async def _halfCloses(self) -> bool:
        number = self._number()
        query = b"user%07d" % number + self._chance.choice((b"", b"\r\n"))
        said = await self._exchange(self._ports.finger, query, end=True)
        return said == users.filled(self._answer, number)

    async def _asksOverTLS(self) -> bool:
        return await self._askTLS(end=False)

    async def _halfClosesTLS(self) -> bool:
        return await self._askTLS(end=True)

    async def _breaksOffTLS(self) -> bool:
        """Begin a handshake that comes to nothing."""
        if self._chance.random() < 0.5:
            return await self._garbage(self._ports.tls)
        return await self._reset(self._ports.tls, _HELLO)

    async def _sets(self) -> bool:
        number = self._half + self._number()
        request = b"user%07d\nStep %d of it is done\n" % (number, self._chance.randrange(10**6))
        return await self._exchange(self._ports.setter, request) == b"OK\r\n"

    async def _isRefused(self) -> bool:
        said = await self._exchange(self._ports.setter, self._chance.choice(_REFUSED), end=True)
        return said.endswith(b"\r\n") and not said.startswith(b"OK")

    async def _talksGarbage(self) -> bool:
        return await self._garbage(self._ports.finger)

    async def _resets(self) -> bool:
        query = self._chance.choice((b"", b"us", b"user0000000\r\n", b"\r\n"))
        return await self._reset(self._ports.finger, query)

    async def _isSilent(self) -> bool:
        return await self._exchange(self._ports.finger, b"") == b""

    async def _isDeaf(self) -> bool:
        """Ask for the list, and never read it."""
        _, writer = await self._connect(self._ports.finger, room=4096)
        try:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"/W\r\n")
            while not writer.transport.is_closing():
                await asyncio.sleep(1)
                writer.write(b"x")
        finally:
            writer.transport.abort()
        return True

    def _number(self) -> int:
        return self._chance.randrange(self._half)

    async def _askTLS(self, end: bool) -> bool:
        number = self._number()
        reader, writer = await self._connect(self._ports.tls)
        try:
            said = await TLS(self._tls, reader, writer).ask(b"user%07d\r\n" % number, end)
        finally:
            writer.transport.abort()
        return said == users.filled(self._answer, number)

    async def _garbage(self, port: int) -> bool:
        """Whatever is answered is right, and so is a connection that is closed or reset."""
        with suppress(OSError):
            await self._exchange(port, self._chance.choice(_GARBAGE), end=True)
        return True

    async def _reset(self, port: int, query: bytes) -> bool:
        _, writer = await self._connect(port)
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.write(query)
        await asyncio.sleep(self._chance.choice((0, 0.001, 0.01, 0.1)))
        writer.transport.abort()
        return True

    async def _exchange(
        self, port: int, query: bytes, wait: float = 0.0, end: bool = False
    ) -> bytes:
        """
        Send this, and give all that comes back.

        @param wait: how many seconds after the connection.
        @param end: close the sending side behind it.
        """
        reader, writer = await self._connect(port)
        try:
            if wait:
                await asyncio.sleep(wait)
            writer.write(query)
            if end:
                writer.write_eof()
            return await reader.read()
        finally:
            writer.transport.abort()

    async def _connect(
        self, port: int, room: int | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """@param room: how many bytes the kernel takes in that aren't read, if not as ever."""
        sock = socket.socket()
        try:
            sock.setblocking(False)
            if room is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            peer = self._chance.randrange(self._peers)
            sock.bind((f"127.{1 + (peer >> 16)}.{peer >> 8 & 255}.{peer & 255}", 0))
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            return await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise
