"""Limits that a client meets: what is said, or that it is closed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.wire import client
from tests.wire.scenarios import scenario
from tests.wire.wire import Talk, Wire


@contextmanager
def _accepted(daemon: Talk, port: client.Address, other: client.Address) -> Iterator[socket.socket]:
    """
    A connection that the daemon has accepted, since it has begun to ask, and whose bytes it has
    looked for: at another of its ports it has answered since.
    """
    descriptors = f"/proc/{daemon.pid}/fd"
    before = len(os.listdir(descriptors))
    with client.connected(port) as connection:
        connection.sendall(b"u")
        until = time.monotonic() + client.PATIENCE
        while len(os.listdir(descriptors)) == before and time.monotonic() < until:
            time.sleep(0.01)
        with client.connected(other) as meanwhile:
            meanwhile.sendall(b"nobody\nnothing\n")
            client.receive(meanwhile)
        yield connection


USERS = "".join(f"user{number}:Status {number}\n" for number in range(12))


@scenario()
def sizes(wire: Wire) -> None:
    """Limits on lines, names, answers and lists are told in words."""
    daemon = wire.daemon(
        f"--users={wire.file('users', USERS)}",
        *("--limit=queryLength=20", "--limit=namesPerQuery=2", "--limit=listedUsers=3"),
    )
    daemon.asks("a" * 20 + "\r\n", "a" * 21 + "\r\n", "user1 user2\r\n", "a b c\r\n", "a,b,c,d\r\n")
    daemon.asks("\r\n", "/W\r\n", "user11\r\n")
    users = '[ada]\nname = "Ada"\nplan = """\n' + "Ein Plän\n" * 30 + '"""\n[bob]\nstatus = "ééé"\n'
    for size in (200, 50):
        daemon = wire.daemon(
            f"--directory=toml:{wire.file('users.toml', users)}",
            f"--limit=answerSize={size}",
        )
        daemon.asks("ada\r\n", "bob\r\n", "ada bob\r\n", "\r\n", "/W\r\n", "nobody\r\n", "a" * 513)
        daemon.sets("bob\n" + "x" * 1025 + "\n")


@scenario()
def sizesOfDirectories(wire: Wire) -> None:
    """Limits on what directories say cut it, or make an error of it."""
    wire.file(".plan", "Too long a plan\n")
    passwd = f"ada:x:0:0:Ada Lovelace,Room 101:{wire.folder}:/bin/sh\n"
    toml = '[large]\nstatus = "' + "x" * 100 + '"\n[little]\nstatus = "x"\n'
    users = "long:" + "x" * 100 + "\nshort:x\n  y\n"
    script = "#!/bin/sh\necho One line; echo Two lines; echo Three lines\n"
    server = wire.server(
        {
            b"much\r\n": b"m" * 21,
            b"fits\r\n": b"f" * 20,
            b"\r\n": b"The list is too long",
            **dict.fromkeys((b"large\r\n", b"long\r\n", b"who\r\n"), b"No such user"),
        }
    )
    daemon = wire.daemon(
        f"--directory=file:{wire.file('users', users)}",
        f"--directory=toml:{wire.file('users.toml', toml)}",
        f"--directory=passwd:{wire.file('passwd', passwd)}",
        f"--directory=finger://127.0.0.1:{server.port}",
        f"--directory=exec:{wire.file('who', script, 0o755)}",
        "--no-setter",
        *("--limit=usersFileLine=60", "--limit=tomlUser=60", "--limit=gecosPart=5"),
        *("--limit=upstreamSize=20", "--limit=programOutput=15", "--limit=homeFileSize=5"),
    )
    logins = ("short", "long", "little", "large", "ada", "fits", "much", "who")
    daemon.asks(*(f"{login}\r\n" for login in logins), "\r\n")


@scenario()
def tooManyQueries(wire: Wire) -> None:
    """A client that asks too often is told so, and only that client."""
    path = f"{wire.folder}/socket"
    daemon = wire.daemon(
        f"--users={wire.file('users', USERS)}",
        "--limit=peerQueries=2",
        f"--listen=unix:{path}",
        "--listen=tcp:0:interface=127.0.0.1",
    )
    port = daemon.ports[1]
    for request in ("user1\r\n", "\r\n", "user1\r\n", "\r\n", "user1 user2\r\n", "a@b\r\n"):
        daemon.asks(request, at=port)
    daemon.asks("a" * 513, at=port)
    daemon.asks("user1\r\n", "user2\r\n", "user3\r\n", "\r\n", at=path)
    daemon.sets("user1\nSet\n")


@scenario()
def tooManyConnections(wire: Wire) -> None:
    """Of too many connections of one client the newest is closed, of all the oldest."""
    users = f"--users={wire.file('users', USERS)}"
    daemon = wire.daemon(users, "--limit=peerConnections=1")
    with _accepted(daemon, daemon.port, daemon.setterPort):
        daemon.asks("user1\r\n")
    for limit in ("connections=1", "setterConnections=1"):
        daemon = wire.daemon(users, f"--limit={limit}")
        isSetter = limit.startswith("setter")
        ports = daemon.port, daemon.setterPort
        with _accepted(daemon, *(reversed(ports) if isSetter else ports)) as silent:
            if isSetter:
                daemon.sets("user1\nHello\n")
            else:
                daemon.asks("user1\r\n")
            wire.note("The connection that was there before, and had asked nothing yet:")
            wire.said("", client.receive(silent))


@scenario()
def tooManyLookups(wire: Wire) -> None:
    """More lookups than may wait are refused in words, and users at hand are still found."""
    server = wire.server({}, hold=b"slow\r\n")
    daemon = wire.daemon(
        f"--users={wire.file('users', USERS)}",
        f"--directory=finger://127.0.0.1:{server.port}",
        "--limit=lookups=1",
    )
    with client.connected(daemon.port) as waiting:
        client.send(waiting, "slow\r\n")
        server.held.acquire(timeout=client.PATIENCE)
        daemon.asks("user1\r\n", "other\r\n", "\r\n", "user1 other\r\n", "/W\r\n", "/W user1\r\n")
        server.release.set()
        wire.said("slow\r\n", client.receive(waiting))


@scenario()
def stopping(wire: Wire) -> None:
    """A daemon that is stopped finishes the answers in flight, also for a client half closed."""
    for request in ("slow\r\n", ("slow\r\n", client.END)):
        server = wire.server({}, hold=b"slow\r\n")
        daemon = wire.daemon(f"--directory=finger://127.0.0.1:{server.port}", "--limit=stopTime=60")
        with client.connected(daemon.port) as waiting:
            client.send(waiting, request)
            server.held.acquire(timeout=client.PATIENCE)
            daemon.stop()
            server.release.set()
            wire.said(request, client.receive(waiting))
