"""
Clients that ask, one query a connection, and check each answer: load.c in Python, for machines
without a C compiler. It takes the same words and prints the same lines.
"""

from __future__ import annotations

import json
import random
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field

from bench.users import filled

_PATIENCE = 10.0
_TOO_MANY_FAILURES = 1000


@dataclass
class _Client:
    address: str
    due: float
    user: int = 0
    begun: float = 0.0
    connection: socket.socket | None = None
    sent: bool = False
    answer: bytes = b""


@dataclass
class _Loading:
    port: int
    clients: int
    queries: int
    first: int
    users: int
    addresses: int
    pause: float
    delay: float
    query: str
    answers: list[str]
    wrong: int = 0
    failed: int = 0
    begun: int = 0
    latencies: list[float] = field(default_factory=list)
    stopping: bool = False
    loop: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self) -> None:
        start = heard = time.perf_counter()
        # The same users each time.
        self.picks = random.Random(1)
        clients = [
            _Client(
                f"127.0.0.{1 + n % self.addresses}",
                start + (self.pause + self.delay) * n / self.clients,
            )
            for n in range(self.clients)
        ]
        while True:
            now = time.perf_counter()
            wait = 1.0
            for client in clients:
                if client.connection is None and self.more:
                    if client.due <= now:
                        self.begin(client)
                    if client.connection is None:
                        # It may have failed at once.
                        wait = min(wait, client.due - now)
                if client.connection is not None and not client.sent:
                    if client.due <= now:
                        client.begun = now
                        self.send(client)
                    else:
                        wait = min(wait, client.due - now)
            opened = sum(client.connection is not None for client in clients)
            if not opened and not self.more:
                return
            events = self.loop.select(wait)
            for key, _ in events:
                self.receive(key.data)
            if events:
                heard = now
            elif opened and now - heard > _PATIENCE:
                self.failed += opened
                return

    @property
    def more(self) -> bool:
        """Whether there are queries left to begin."""
        enough = self.queries > 0 and self.begun >= self.queries
        return not (self.stopping or enough or self.failed >= _TOO_MANY_FAILURES)

    def begin(self, client: _Client) -> None:
        self.begun += 1
        client.user = self.first + self.picks.randrange(self.users)
        client.answer = b""
        client.sent = False
        client.begun = time.perf_counter()
        client.due = client.begun + self.delay
        client.connection = connection = socket.socket()
        try:
            if client.address != "127.0.0.1":
                connection.bind((client.address, 0))
            connection.connect(("127.0.0.1", self.port))
        except OSError as error:
            self.fail(client, error)
            return
        self.loop.register(connection, selectors.EVENT_READ, client)
        if not self.delay:
            self.send(client)

    def send(self, client: _Client) -> None:
        assert client.connection is not None
        client.sent = True
        try:
            client.connection.sendall(filled(self.query, client.user))
        except OSError as error:
            self.loop.unregister(client.connection)
            self.fail(client, error)

    def receive(self, client: _Client) -> None:
        assert client.connection is not None
        try:
            piece = client.connection.recv(4096)
        except OSError as error:
            self.loop.unregister(client.connection)
            self.fail(client, error)
            return
        client.answer += piece
        if piece:
            return
        self.loop.unregister(client.connection)
        if any(client.answer == filled(answer, client.user) for answer in self.answers):
            self.latencies.append(time.perf_counter() - client.begun)
        else:
            self.wrong += 1
            if self.wrong == 1:
                print(f"user {client.user}: got {client.answer!r}", file=sys.stderr)
        self.end(client)

    def fail(self, client: _Client, error: OSError) -> None:
        self.failed += 1
        if self.failed == 1:
            print(f"user {client.user}: {error}", file=sys.stderr)
        self.end(client)

    def end(self, client: _Client) -> None:
        assert client.connection is not None
        client.connection.close()
        client.connection = None
        client.due = time.perf_counter() + self.pause

    def milliseconds(self, share: float) -> float:
        """The latency that this share of the answers stayed within."""
        kept = sorted(self.latencies)
        return round(1000 * kept[int(share * (len(kept) - 1))], 3) if kept else 0.0


def main(words: list[str]) -> None:
    """Ask, and say how it went."""
    port, clients, queries, first, users, addresses = map(int, words[:6])
    pause, delay = (float(word) / 1000 for word in words[6:8])
    loading = _Loading(
        port, clients, queries, first, users, addresses, pause, delay, words[8], words[9:]
    )

    def stop(*_: object) -> None:
        loading.stopping = True

    signal.signal(signal.SIGTERM, stop)
    print("asking", flush=True)
    began, cpu = time.perf_counter(), time.process_time()
    loading.run()
    said = {
        "right": len(loading.latencies),
        "wrong": loading.wrong,
        "failed": loading.failed,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "p50": loading.milliseconds(0.5),
        "p99": loading.milliseconds(0.99),
        "max": loading.milliseconds(1),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1:])
