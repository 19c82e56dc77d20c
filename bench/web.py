"""
What a page costs: the web door beside a plain resource of twisted.web that returns the same bytes.

C{python -m bench.web [ROUNDS]} starts both, asks each in turns over connections that stay open, and
prints the processor time of a request as Markdown. Nothing is pinned: the ratios count.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

_REQUESTS = 800
_IN_FLIGHT = 8
_PLAIN = """
import sys
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
class Page(Resource):
    isLeaf = True
    body = sys.stdin.buffer.read()
    def render_GET(self, request):
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        return self.body
site = Site(Page())
site.displayTracebacks = False
port = reactor.listenTCP(0, site, 4096, "127.0.0.1")
print(port.getHost().port, flush=True)
reactor.run()
"""


class Server:
    """A server that runs, and whose processor time is counted."""

    def __init__(self, command: Sequence[str], stdin: bytes = b"") -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(stdin)
        self.process.stdin.close()
        self.port = 0
        for line in self.process.stdout:
            words = line.split()
            if b"finger on" in line:
                self.port = int(line.partition(b"; ")[0].rpartition(b":")[2])
            elif len(words) == 1 and words[0].isdigit():
                self.port = int(words[0])
            if self.port:
                break

    def spent(self) -> float:
        """The seconds of processor time that it has used."""
        # To the nanosecond, so that rounds can be short: what disturbs one of them disturbs all
        # that it compares.
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def cost(self, request: bytes, status: bytes) -> float:
        """Microseconds of processor time that it takes for a request."""
        before = self.spent()
        each = _REQUESTS // _IN_FLIGHT
        connections = [
            socket.create_connection(("127.0.0.1", self.port)) for _ in range(_IN_FLIGHT)
        ]
        for _ in range(each):
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                _read(connection, status)
        for connection in connections:
            connection.close()
        return (self.spent() - before) / _REQUESTS * 1e6


def _read(connection: socket.socket, status: bytes) -> bytes:
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status), head
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length: "):
            while len(body) < int(line[16:]):
                body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def main(rounds: int) -> None:
    """Measure, and print what was found."""
    with tempfile.TemporaryDirectory() as folder:
        users = Path(folder) / "people.toml"
        plan = "To write a finger daemon.\\n" * 20
        users.write_text(f'[moshez]\nname = "Moshe Zadka"\nstatus = "Happy"\nplan = "{plan}"\n')
        os.chmod(folder, 0o755)
        twistd = str(Path(sys.executable).parent / "twistd")
        ours = Server(
            [
                *(twistd, "-n", "--pidfile=", "finger", "--no-setter"),
                *("--listen=tcp:0:interface=127.0.0.1", "--web=tcp:0:interface=127.0.0.1"),
                *(f"--directory=toml:{users}", "--limit=peerQueries=100000000"),
                f"--query-log={folder}/../web-bench-{os.getpid()}.log",
            ]
        )
        get = b"GET /moshez HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
        with socket.create_connection(("127.0.0.1", ours.port)) as connection:
            connection.sendall(get + b"\r\n")
            head, _, body = _read(connection, b"200").partition(b"\r\n\r\n")
        tag = next(line[6:] for line in head.split(b"\r\n") if line.startswith(b"ETag: "))
        plain = Server([sys.executable, "-c", _PLAIN], body)
        found: dict[str, list[float]] = {"page": [], "304": [], "plain": []}
        time.sleep(0.5)
        for _ in range(rounds):
            found["page"].append(ours.cost(get + b"\r\n", b"200"))
            found["plain"].append(plain.cost(get + b"\r\n", b"200"))
            found["304"].append(ours.cost(get + b"If-None-Match: " + tag + b"\r\n\r\n", b"304"))
        for server in (ours, plain):
            server.process.terminate()
            server.process.wait()
    print(f"{len(body)} bytes of HTML, {rounds} rounds of {_REQUESTS} requests\n")
    print("| | µs a request | to a plain resource | to the page |\n| --- | --- | --- | --- |")
    for name, words in (
        ("page", "a user's page, from memory"),
        ("304", "the same, to a client that has it"),
        ("plain", "a resource of twisted.web that returns the same bytes"),
    ):
        ratios = [
            [one / other for one, other in zip(found[name], found[base], strict=True)]
            for base in ("plain", "page")
        ]
        middle = statistics.median(found[name])
        print(
            f"| {words} | {middle:.0f} ({min(found[name]):.0f} to {max(found[name]):.0f}) | "
            + " | ".join(
                f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})" for r in ratios
            )
            + " |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 51)
