"""
Clients that mean no good: crowds of them, from many addresses of this machine, and what they do.

An attack takes a port, how many clients there are, and what else it needs. It returns when the
daemon has let go of all of them, with what it has got.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from tests.support.daemon import PATIENCE

# See ip(7): addresses and ports are chosen together, when it is connected.
_IP_BIND_ADDRESS_NO_PORT = 24
# Of one address. A peer has 50 connections by default.
_OF_ONE = 40
_GONE = select.EPOLLERR | select.EPOLLHUP
# Kept of what one is told.
_KEPT = 1000

OPENINGS = {
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(range(154)),
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "RDP": bytes.fromhex("030000130ee000000000000100080003000000"),
    "SMB": bytes.fromhex("00000054ff534d4272000000001843c8") + bytes(70),
    "SSH": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "SOCKS": bytes.fromhex("05010004017f00000100500a"),
    "SIP": b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm;branch=foo\r\n\r\n",
}


class Got(NamedTuple):
    """
    What an attack got: how many clients there were, how many of them were answered, and how many
    were closed or reset without a word. The others went away by themselves.
    """

    offered: int
    served: int = 0
    closed: int = 0


class Attacker:
    """One of a crowd: ``answer`` is how that begins which it was told."""

    def __init__(self, host: str, window: int) -> None:
        self.answer = b""
        self.closed = False
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)

    def read(self) -> bool:
        """Read what there is, and say whether there may be more later."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.answer = (self.answer + data)[:_KEPT]
        return bool(data)


class Crowd:
    """Clients that are connected to a port, from many addresses."""

    def __init__(
        self,
        port: int,
        count: int,
        *,
        window: int = 0,
        reads: bool = True,
        stays: bool = False,
        ofOne: int = _OF_ONE,
        address: int = 0,
    ) -> None:
        """
        @param window: bytes that one is ready to receive, as long as it doesn't read.
        @param reads: whether they read what they are told.
        @param stays: whether they stay when they have been told all.
        @param ofOne: how many of them have the same address.
        @param address: the first of the addresses.
        """
        self.all: list[Attacker] = []
        self._reads = reads
        self._stays = stays
        self._open: dict[int, Attacker] = {}
        self._poll = select.epoll()
        for number in range(count):
            attacker = Attacker(_host(address + number // ofOne), window)
            attacker.socket.connect_ex(("127.0.0.1", port))
            descriptor = attacker.socket.fileno()
            self.all.append(attacker)
            self._open[descriptor] = attacker
            self._poll.register(descriptor, select.EPOLLOUT)
            if number % 100 == 99:
                # More at once would be too many for the system's queue of newcomers: it would let
                # some wait for seconds, good ones among them, and the daemon never sees these.
                time.sleep(0.02)
        waiting = count
        until = time.monotonic() + PATIENCE
        while waiting > 0 and time.monotonic() < until:
            for descriptor, _ in self._poll.poll(1):
                # Connected, or not: reading will tell.
                self._poll.modify(descriptor, select.EPOLLIN if reads else select.EPOLLRDHUP)
                waiting -= 1

    def __len__(self) -> int:
        return len(self._open)

    def send(self, data: bytes) -> int:
        """Let each of them send this, as far as it can, and say how many bytes that were."""
        sent = 0
        for attacker in self._open.values():
            try:
                sent += attacker.socket.send(data)
            except OSError:
                continue
        return sent

    def watch(self, seconds: float) -> None:
        """See to what they are told, for so long, or until all have gone."""
        until = time.monotonic() + seconds
        left = seconds
        while self._open and left >= 0:
            for descriptor, event in self._poll.poll(left, 10_000):
                goesOn = self._reads and self._open[descriptor].read()
                if event & _GONE or not (goesOn or self._stays):
                    self._leave(descriptor)
                elif not goesOn:
                    self._poll.modify(descriptor, 0)
            left = until - time.monotonic()

    def reset(self) -> None:
        """Let all of them reset their connections."""
        for descriptor, attacker in list(self._open.items()):
            linger = struct.pack("ii", 1, 0)
            attacker.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._leave(descriptor)

    def end(self) -> Got:
        """Close what is still open, and say what they got."""
        for descriptor in list(self._open):
            self._leave(descriptor)
        self._poll.close()
        served = sum(1 for attacker in self.all if attacker.answer)
        closed = sum(1 for attacker in self.all if attacker.closed and not attacker.answer)
        return Got(len(self.all), served, closed)

    def closed(self, seconds: float = PATIENCE) -> Got:
        """Wait until the daemon has let go of them all, and say what they got."""
        self.watch(seconds)
        left = len(self)
        got = self.end()
        if left:
            raise AssertionError(f"{left} connections are still open after {seconds} s")
        return got

    def _leave(self, descriptor: int) -> None:
        attacker = self._open.pop(descriptor)
        attacker.closed = True
        self._poll.unregister(descriptor)
        attacker.socket.close()


def _host(number: int) -> str:
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


def silent(port: int, count: int, said: bytes = b"") -> Got:
    """Clients that send nothing, or the beginning of something, and stay."""
    crowd = Crowd(port, count)
    crowd.send(said)
    return crowd.closed()


def dripping(port: int, count: int, every: float) -> Got:
    """Clients that send a byte now and then, and never the end of the line."""
    crowd = Crowd(port, count)
    until = time.monotonic() + PATIENCE
    while len(crowd) and time.monotonic() < until:
        crowd.send(b"x")
        crowd.watch(every)
    return crowd.closed(0)


def unread(port: int, count: int, query: bytes) -> Got:
    """Clients that ask for something large, and never read it."""
    crowd = Crowd(port, count, window=4096, reads=False)
    crowd.send(query)
    return crowd.closed()


def staying(port: int, count: int, query: bytes, ofOne: int, seconds: float) -> Got:
    """Clients that ask, read the answer, and then stay for so many seconds."""
    crowds: list[Crowd] = []
    for first in range(0, count, 500):
        most = min(500, count - first)
        crowds.append(Crowd(port, most, stays=True, ofOne=ofOne, address=first // ofOne))
        crowds[-1].send(query)
        crowds[-1].watch(0.01)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for crowd in crowds:
            crowd.watch(min(0.1, left))
    return _sum(crowd.end() for crowd in crowds)


def resetting(port: int, count: int, query: bytes = b"", wait: float = 0.0) -> Got:
    """
    Clients that connect, send a query or nothing, and reset the connection: at once, or when they
    have waited for so many seconds for an answer that they don't read.
    """
    done = 0
    while done < count:
        crowd = Crowd(port, min(200, count - done), window=4096, reads=False)
        done += len(crowd)
        crowd.send(query)
        crowd.watch(wait)
        crowd.reset()
        crowd.end()
    return Got(count)


def flooding(
    port: int, count: int, held: int, perSecond: int, said: bytes, ofOne: int = _OF_ONE
) -> Got:
    """
    Clients that go on coming, so many in a second, and say the beginning of something. The last
    of them stay, so many as are C{held}; for each that comes then, the oldest goes.
    """
    there: deque[socket.socket] = deque()
    began = time.monotonic()
    for number in range(count):
        attacker = Attacker(_host(number // ofOne), 0).socket
        attacker.connect_ex(("127.0.0.1", port))
        with suppress(OSError):
            attacker.send(said)
        there.append(attacker)
        if len(there) > held:
            there.popleft().close()
        time.sleep(max(0.0, began + number / perSecond - time.monotonic()))
    for attacker in there:
        attacker.close()
    return Got(count)


def endless(port: int, count: int, size: int, make: Callable[[int], bytes]) -> Got:
    """
    Clients that go on sending, up to ``size`` bytes together, whatever they are told.

    @param make: gives so many bytes. What is offered is the bytes that could be sent; those whom
        the daemon cuts off come again.
    """
    piece = make(65536)
    sent = served = closed = 0
    until = time.monotonic() + PATIENCE
    while sent < size and time.monotonic() < until:
        crowd = Crowd(port, count, stays=True)
        while len(crowd) and sent < size and time.monotonic() < until:
            sent += crowd.send(piece)
            crowd.watch(0.001)
        got = crowd.end()
        served, closed = served + got.served, closed + got.closed
    return Got(sent, served, closed)


def slowly(port: int, count: int, query: bytes) -> list[bytes]:
    """Clients that send a query a byte a segment: what they are told."""
    crowd = Crowd(port, count)
    for place in range(len(query)):
        crowd.send(query[place : place + 1])
    crowd.closed()
    return [attacker.answer for attacker in crowd.all]


def strangers(port: int, count: int, openings: Sequence[bytes]) -> Got:
    """Clients of other protocols."""
    gots = []
    for opening in openings:
        crowd = Crowd(port, count)
        crowd.send(opening)
        gots.append(crowd.closed())
    return _sum(gots)


def _sum(gots: Iterable[Got]) -> Got:
    return Got(*(sum(numbers) for numbers in zip(*gots, strict=True)))


def xs(size: int) -> bytes:
    """A line that doesn't end."""
    return b"x" * size
