"""
Good clients, who go on asking while something happens to the daemon, and check every answer.

They are a process of their own, so that nothing that the test does makes them wait. Where the tests
are run by root, they are another user than the attackers are.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

from tests.support.daemon import AS_NOBODY, IS_ROOT, PATIENCE, ROOT

# Seconds between one's answer and the next one's query. Each asks from another address, of so many:
# none of them asks more often than a peer may.
_PAUSE = 0.01
_ADDRESSES = 200

# What is sent, a segment each, and what is to come back.
Question = tuple[Sequence[bytes], bytes]


class Answered(NamedTuple):
    """
    What became of the good clients' queries: how many were asked, how many had the right answer,
    what the others had, the seconds that the slowest took, and how many of them were settings.
    """

    asked: int
    right: int
    lost: list[str]
    slowest: float
    typical: float
    settings: int


class Beside:
    """Good clients, until L{end}."""

    def __init__(
        self,
        port: int,
        questions: Sequence[Question],
        setterPort: int = 0,
        certificate: Path | None = None,
    ) -> None:
        """
        @param setterPort: where a status is set now and then, and then asked for: the login is
            C{setting}.
        @param certificate: the server's, where queries are asked by TLS.
        """
        what = [[[s.decode("latin-1") for s in sent], said.decode()] for sent, said in questions]
        self._process = subprocess.Popen(
            [
                *(AS_NOBODY if IS_ROOT else ()),
                sys.executable,
                "-m",
                "tests.attacks.beside",
                str(port),
                str(setterPort),
            ]
            + ([] if certificate is None else [str(certificate)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        # All of the questions have been asked once.
        assert self._process.stdout.readline() == "asking\n"

    def end(self) -> Answered:
        """Let them end, and give what became of their queries."""
        said, _ = self._process.communicate(timeout=PATIENCE)
        return Answered(*json.loads(said))


def _exchanged(
    host: str, port: int, segments: Sequence[bytes], tls: ssl.SSLContext | None = None
) -> bytes:
    """What comes back for these segments, sent from this address."""
    with ExitStack() as open:
        client: socket.socket = open.enter_context(socket.socket())
        client.settimeout(PATIENCE / 2)
        client.bind((host, 0))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(("127.0.0.1", port))
        if tls is not None:
            client = open.enter_context(tls.wrap_socket(client, server_hostname="localhost"))
        answer = b""
        for segment in segments:
            client.sendall(segment)
        while received := client.recv(65536):
            answer += received
        return answer


def _ask(
    port: int, setterPort: int, questions: Sequence[Question], certificate: str | None = None
) -> Answered:
    tls = None if certificate is None else ssl.create_default_context(cafile=certificate)
    asked, right, settings = 0, 0, 0
    lost: list[str] = []
    times: list[float] = []

    def ask(host: str, to: int, segments: Sequence[bytes], expected: bytes) -> None:
        nonlocal asked, right
        asked += 1
        began = time.monotonic()
        try:
            answer = _exchanged(host, to, segments, None if to == setterPort else tls)
        except OSError as error:
            answer = repr(error).encode()
        times.append(time.monotonic() - began)
        if answer == expected:
            right += 1
        else:
            lost.append(f"{segments!r}: {answer[:100]!r} after {times[-1]:.3f} s")

    def hosts() -> Iterator[str]:
        for number in count():
            yield f"127.200.0.{1 + number % _ADDRESSES}"

    ended = False
    for number, host in enumerate(hosts()):
        if ended and number >= len(questions):
            break
        ask(host, port, *questions[number % len(questions)])
        if setterPort and number % 20 == 0:
            status = f"Status {number}".encode()
            ask(host, setterPort, [b"setting\n" + status + b"\n"], b"OK\r\n")
            # (What comes before a query for a user comes before all of them.)
            ask(host, port, [*questions[0][0][:-1], b"setting\r\n"], status + b"\r\n")
            settings += 1
        if number == len(questions):
            print("asking", flush=True)
        ended = bool(select.select([sys.stdin], [], [], _PAUSE)[0])
    times.sort()
    some = lost[:5] + [""] * (len(lost[5:]))
    return Answered(asked, right, some, times[-1], times[len(times) // 2], settings)


if __name__ == "__main__":
    what = json.loads(sys.stdin.readline())
    asking = [([s.encode("latin-1") for s in sent], said.encode()) for sent, said in what]
    print(json.dumps(_ask(int(sys.argv[1]), int(sys.argv[2]), asking, *sys.argv[3:])), flush=True)
