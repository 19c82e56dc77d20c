"""What the tests of the web door share: a port, and a client that reads whole responses."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IProtocolFactory

from fingerd.doors.http.web_factory import WebFactory
from fingerd.doors.net.balancers import Balancers
from fingerd.doors.web.site import Site
from fingerd.doors.web.web_form import baseOf
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import Entry
from fingerd.model.rules import DEFAULT_RULES, Rules
from fingerd.model.user import User
from fingerd.stores.memory import MemoryStore
from tests.support.ports import TCP, TIME, Directory, Sockets
from tests.support.service import Finger

BASE = baseOf("https://example.com")


class Response(NamedTuple):
    """What a server sends for one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")


def responses(data: bytes, *, bodies: bool = True) -> list[Response]:
    """The responses in C{data}, which has to be whole."""
    found = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, head
        first, *lines = head.decode("ascii").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [ -~]+", first)
        assert match is not None, first
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines), lines
        size = int(headers.get("Content-Length", "0")) if bodies else 0
        assert len(data) >= size, (head, data)
        found.append(Response(int(match[1]), headers, data[:size]))
        data = data[size:]
    return found


class WebCase(Sockets):
    """A test that asks a web port on loopback."""

    timeout = 60

    def web(
        self,
        *users: User,
        limits: Limits = DEFAULTS,
        rules: Rules = DEFAULT_RULES,
        history: int = 20,
        balancers: Balancers | None = None,
        finger: Finger | None = None,
        url: str | None = "https://example.com",
        **options: Any,
    ) -> int:
        """Serve these users, and give the port's number."""
        self.now = options.pop("now", 1_700_000_000.0)
        self.store = MemoryStore(lambda: self.now, limits)
        if finger is None:
            queryLog = options.pop("queryLog", None)
            directory = Known(*users)
            finger = Finger(TIME, [directory], self.store, limits, rules, None, queryLog)
        self.finger = finger
        self.site = Site(finger, None if url is None else baseOf(url), history, limits, TIME)
        self.factory = WebFactory(self.site, balancers, limits, TIME)
        return self.open(cast(IProtocolFactory, self.factory))

    def open(self, factory: IProtocolFactory) -> int:
        """Open a port for the length of the test, and give its number."""
        port = self.opened = TCP.listenTCP(0, cast(Any, factory), 50, "127.0.0.1")
        self.addCleanup(self.finger.visits.drain)
        self.addCleanup(port.stopListening)
        return cast(IPv4Address, port.getHost()).port

    async def stopped(self) -> None:
        """Close the port."""
        await maybeDeferred(self.opened.stopListening)

    def set(self, login: str, text: str, until: float | None = None) -> None:
        """Set a status, a second later."""
        self.now += 1
        self.successResultOf(self.store.set(login, Entry(text, self.now, "root", until)))

    async def get(
        self,
        port: int,
        path: str = "/",
        accept: str | None = None,
        method: str = "GET",
        **headers: str,
    ) -> Response:
        """One request on a connection of its own."""
        lines = [f"{method} {path} HTTP/1.1", "Host: example.com", "Connection: close"]
        lines += [f"Accept: {accept}"] if accept is not None else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        data = await self.ask(port, "\r\n".join([*lines, "", ""]).encode("utf-8"))
        (response,) = responses(data, bodies=method != "HEAD")
        return response


class Known(Directory):
    """A directory of these users."""

    def __init__(self, *users: User) -> None:
        self._users = {user.login: user for user in users}
        super().__init__(lambda login: succeed(self._users.get(login)))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed(list(self._users.values())[:limit])
