"""A finger server that the daemon asks, and that behaves as it is told."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

from tests.soak.world import World

# Not the address that the daemon connects from: no port of its own connections is ever this one.
HOST = "127.0.0.99"
FAULTS = ("down", "silent", "endless", "resetting")


class Upstream:
    """
    The server.

    @ivar url: where it is.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._server: asyncio.Server | None = None
        self._port = 0
        self._mode = "well"
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        """Open its port, the same one each time."""
        self._server = await asyncio.start_server(self._serve, HOST, self._port, backlog=1000)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"finger://{HOST}:{self._port}"

    async def become(self, mode: str) -> None:
        """Be C{"well"}, or have one of the L{FAULTS}."""
        self._world.mode.begin(mode)
        self._mode = mode
        # What is under way in another way is broken off.
        self._changed.set()
        self._changed = asyncio.Event()
        if self._server is not None and mode == "down":
            self._server.close()
            self._server = None
        elif self._server is None:
            await self.listen()
        self._world.mode.settle()

    def close(self) -> None:
        """Be gone."""
        self._changed.set()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        changed = asyncio.ensure_future(self._changed.wait())
        serving = asyncio.ensure_future(self._answer(reader, writer))
        try:
            await asyncio.wait([changed, serving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in (changed, serving):
                part.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await serving
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        login = (await reader.readline()).decode().removeprefix("/W").strip()
        if self._mode == "silent":
            await reader.read()
        elif self._mode == "endless":
            while True:
                writer.write(b"and so on\r\n" * 1000)
                await writer.drain()
        elif self._mode == "resetting":
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif not login:
            writer.write(b"All are up\r\n")
        elif login in World.upstreams:
            writer.write(f"{login} is up\r\n".encode())
        else:
            writer.write(b"No such user\r\n")
