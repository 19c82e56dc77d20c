"""Those who ask, in all the ways in which real clients do, and those who set a status."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

from tests.soak.figures import Counts
from tests.soak.world import World

# nmap and Metasploit wait for so long.
IN_TIME = 5.0
# After this a client gives up.
_PATIENCE = 30.0

_Check = Callable[[bytes, float, float], bool]


def addresses(network: int) -> Callable[[], str]:
    """Addresses of this machine in turn: limits are for each address by itself."""
    cycle = itertools.cycle(range(1, 251))
    return lambda: f"127.{network}.0.{next(cycle)}"


async def connect(
    port: int, address: str | None, room: int | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """
    A connection to the daemon, from an address of this machine.

    @param room: how many bytes the kernel is to take in that aren't read, if not as ever.
    """
    sock = socket.socket()
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if room is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        if address is not None:
            sock.bind((address, 0))
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return await asyncio.open_connection(sock=sock)
    except BaseException:
        sock.close()
        raise


async def exchange(
    port: int, request: bytes, address: str | None = None, end: bool = False, bytewise: bool = False
) -> bytes:
    """
    Send this, and give all that comes back.

    @param end: close the sending side behind it.
    @param bytewise: send a byte a segment.
    """
    reader, writer = await connect(port, address)
    try:
        for piece in [bytes([byte]) for byte in request] if bytewise else [request]:
            writer.write(piece)
            if bytewise:
                await asyncio.sleep(0.002)
        if end:
            writer.write_eof()
        return await reader.read()
    finally:
        writer.transport.abort()


class Askers:
    """Clients that ask good questions."""

    def __init__(self, port: int, world: World, counts: Counts, chance: random.Random) -> None:
        self._port = port
        self._world = world
        self._counts = counts
        self._chance = chance
        self._address = addresses(1)

    async def ask(self) -> None:
        """Ask something."""
        await self._checked(*self._question())

    def _question(self) -> tuple[str, str, _Check]:
        """What kind of question it is, its words, and what is right."""
        world, chance = self._world, self._chance
        shape = chance.random()
        if shape < 0.05:
            return "list", "", world.isList
        if shape < 0.15:
            some = [world.someone(chance)[1] for _ in range(chance.randint(1, 6))]
            # With two that are long the answer would be cut.
            logins = [world.users[0], *(login for login in some if login != world.long), "root"]
            words = chance.choice(" ,").join(logins)
            return "several", words, lambda *seen: world.areRight(logins, *seen)
        kind, login = world.someone(chance)
        # A user of whom no more is known looks the same.
        words = chance.choice(("", "", "", "/W ", "/w ", " ")) + login
        return kind, words, lambda *seen: world.isRight(login, *seen)

    async def _checked(self, kind: str, words: str, isRight: _Check) -> None:
        chance = self._chance
        end = chance.random() < 0.3
        lineEnd = "" if end and words and chance.random() < 0.3 else chance.choice(("\r\n", "\n"))
        bytewise = chance.random() < 0.1
        request = f"{words}{lineEnd}".encode()
        asking = exchange(self._port, request, self._address(), end, bytewise)
        start = time.monotonic()
        try:
            answer = await asyncio.wait_for(asking, _PATIENCE)
        except (TimeoutError, OSError) as error:
            self._counts.wrong.append(f"{request!r}: {error!r}")
            return
        now = time.monotonic()
        if not isRight(answer, start, now):
            self._counts.wrong.append(f"{request!r} got {answer[:300]!r}")
        elif now - start > IN_TIME:
            self._counts.wrong.append(f"{request!r} was answered after {now - start:.1f} seconds")
        else:
            self._counts.answered(f"{kind}, a byte at a time" if bytewise else kind, now - start)


class SettingUser:
    """
    A user who sets their status again and again.

    @ivar acknowledged: what was acknowledged, in order.
    """

    def __init__(
        self, port: int, setterPort: int, login: str, world: World, counts: Counts
    ) -> None:
        self.login = login
        self.acknowledged: list[str] = []
        self._port = port
        self._setterPort = setterPort
        self._shown = world.statuses[login]
        self._counts = counts
        self._number = 0

    async def set(self) -> None:
        """Set another status, and look whether it shows."""
        self._number += 1
        status = f"Busy with {self._number} things"
        self._shown.begin(status)
        request = f"{self.login}\n{status}\n".encode()
        start = time.monotonic()
        said = await self._exchange(self._setterPort, request)
        if said != b"OK\r\n":
            self._counts.wrong.append(f"{request!r} to the setter got {said!r}")
            return
        self._counts.answered("setting", time.monotonic() - start)
        self._shown.settle()
        self.acknowledged.append(status)
        shown = await self._exchange(self._port, f"{self.login}\n".encode())
        if shown != f"{status}\r\n".encode():
            self._counts.wrong.append(f"{status!r} was acknowledged, then {shown!r} shown")

    async def _exchange(self, port: int, request: bytes) -> bytes:
        try:
            return await asyncio.wait_for(exchange(port, request), _PATIENCE)
        except (TimeoutError, OSError) as error:
            return repr(error).encode()


async def again(
    do: Callable[[], Coroutine[Any, Any, None]], rate: float, chance: random.Random
) -> None:
    """
    Do it ``rate`` times a second on the average, whether or not what was begun has ended. When
    this is cancelled, so is all that goes on.
    """
    async with asyncio.TaskGroup() as tasks:
        while True:
            tasks.create_task(do())
            await asyncio.sleep(chance.expovariate(rate))
