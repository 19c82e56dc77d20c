"""Other ports than a plain TCP one, load balancers, and other hosts."""

from __future__ import annotations

import socket
import struct

from tests.wire.client import END, each
from tests.wire.scenarios import scenario
from tests.wire.wire import Wire

USERS = "moshez:Happy and well\nradix:Writing\n"
ASKED = (
    "moshez\r\n",
    "\r\n",
    "/W moshez\r\n",
    "nobody\r\n",
    "moshez radix\r\n",
    "moshez\n",
    "moshez\r\nmore\r\n",
    "a" * 513,
    each("moshez\r\n"),
)
ENDED = (("moshez", END), (END,), ("moshez\r\n", END))

V2 = b"\r\n\r\n\0\r\nQUIT\n"


@scenario()
def unixSocket(wire: Wire) -> None:
    """On a UNIX socket the same is asked and set as on a port."""
    path, setter = f"{wire.folder}/finger", f"{wire.folder}/set"
    daemon = wire.daemon(
        f"--users={wire.file('users', USERS)}", f"--listen=unix:{path}", f"--setter=unix:{setter}"
    )
    daemon.asks(*ASKED, *ENDED, at=path)
    daemon.sets("moshez\nOver a socket\n", "nobody\nx\n", ("moshez\n", END), at=setter)
    daemon.asks("moshez\r\n", at=path)


@scenario("openssl")
def secure(wire: Wire) -> None:
    """On ssl: and tls: ports the same is asked, over TLS."""
    certificate = wire.certificate()
    users = f"--users={wire.file('users', USERS)}"
    daemon = wire.daemon(
        users, f"--listen=ssl:0:privateKey={certificate}:interface=127.0.0.1", "--no-setter"
    )
    daemon.asksSecurely(*ASKED, certificate=certificate)
    daemon = wire.daemon(
        users,
        f"--listen=tls:{wire.folder}/tls:0:interface=127.0.0.1",
        *("--proxy-from=127.0.0.1", "--limit=peerQueries=2", "--no-setter"),
    )
    for number in range(1, 3):
        before = f"PROXY TCP4 192.0.2.{number} 192.0.2.9 4660 79\r\n".encode()
        daemon.asksSecurely(*ASKED[:3], certificate=certificate, before=before)


def v2(kind: int, addresses: bytes, command: int = 0x21) -> bytes:
    """A header of version 2."""
    return V2 + struct.pack("!BBH", command, kind, len(addresses)) + addresses


IPV4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack("!HH", 4660, 79)
IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") * 2 + struct.pack("!HH", 4660, 79)
HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 4660 79\r\n"

GOOD = (
    HEADER,
    b"PROXY TCP6 2001:db8::1 2001:db8::2 4660 79\r\n",
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
    v2(0x11, IPV4),
    v2(0x21, IPV6),
    v2(0x11, IPV4 + b"\x04\x00\x03abc"),
    v2(0x00, b"", command=0x20),
    v2(0x31, b"/run/x".ljust(216, b"\0")),
    v2(0x12, IPV4),
)
WRONG = (
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4660\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4660 79 1\r\n",
    b"PROXY TCP4 2001:db8::1 192.0.2.2 4660 79\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 04660 79\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 66000 79\r\n",
    b"PROXY TCP5 192.0.2.1 192.0.2.2 4660 79\r\n",
    b"PROXY TCP4 192.0.2.256 192.0.2.2 4660 79\r\n",
    b"PROXY " + b"x" * 101 + b"\r\n",
    b"proxy TCP4 192.0.2.1 192.0.2.2 4660 79\r\n",
    v2(0x11, IPV4[:8]),
    v2(0x11, IPV4, command=0x31),
    v2(0x11, IPV4, command=0x22),
    v2(0x41, IPV4),
    v2(0x13, IPV4),
    v2(0x11, IPV4 + bytes(4096)),
    V2.replace(b"QUIT", b"EXIT"),
    b"",
)


@scenario()
def behindABalancer(wire: Wire) -> None:
    """A listed balancer's PROXY header comes before the query; without one it is closed."""
    users = f"--users={wire.file('users', USERS)}"
    daemon = wire.daemon(users, "--proxy-from=127.0.0.0/8")
    for header in GOOD:
        daemon.asks(header + b"moshez\r\n", (header, b"moshez\r\n"))
    for header in (HEADER, v2(0x11, IPV4)):
        daemon.asks(each(header + b"moshez\r\n"), (header + b"moshez", END), (header, END))
        daemon.asks(header + b"\r\n", header + b"nobody\r\n", header + b"a" * 513, header + header)
    for header in WRONG:
        daemon.asks(header + b"moshez\r\n")
    daemon.asks((END,), (HEADER[:20], END), (V2, END))
    daemon.sets("moshez\nNo header here\n")
    wire.note("Each client has its own count of queries.")
    daemon = wire.daemon(users, "--proxy-from=127.0.0.1", "--limit=peerQueries=1", "--no-setter")
    for number in (1, 2, 1, 2):
        daemon.asks(f"PROXY TCP4 192.0.2.{number} 192.0.2.9 4660 79\r\nmoshez\r\n")
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
        daemon.asks(f"PROXY TCP6 {address} 2001:db8::9 4660 79\r\nmoshez\r\n")
    daemon.asks("PROXY UNKNOWN\r\nmoshez\r\n", "PROXY UNKNOWN\r\nmoshez\r\n")


@scenario()
def notBehindABalancer(wire: Wire) -> None:
    """Of a client that isn't a listed balancer, a PROXY header is but a strange query."""
    users = f"--users={wire.file('users', USERS)}"
    daemon = wire.daemon(users, "--proxy-from=192.0.2.0/24", "--no-setter")
    daemon.asks(HEADER + b"moshez\r\n", v2(0x11, IPV4) + b"moshez\r\n", "moshez\r\n")
    path = f"{wire.folder}/finger"
    daemon = wire.daemon(users, "--proxy-from=unix", f"--listen=unix:{path}", "--no-setter")
    daemon.asks(HEADER + b"moshez\r\n", "moshez\r\n", v2(0x11, IPV4) + b"moshez\r\n", at=path)


HOSTS = """\
127.0.0.1 localhost
9.9.9.9 other.example a.example.net
127.0.0.2 loop.example
10.0.0.1 private.example
9.9.9.10 closed.example
9.9.9.11 own.example
9.9.9.11 9.9.9.9 both.example
"""


@scenario("unshare", "nsenter", "ip", root=True)
def forwarding(wire: Wire) -> None:
    """Queries are passed on to the hosts that --forward names, and to no other."""
    inside = wire.namespace({"hosts": HOSTS}, ["9.9.9.9", "9.9.9.10", "9.9.9.11", "10.0.0.1"])
    far = wire.daemon(
        f"--users={wire.file('users', USERS)}",
        *("--listen=tcp:79:interface=127.0.0.2", "--listen=tcp:79:interface=9.9.9.9"),
        inside=inside,
    )
    path = f"{wire.folder}/finger"
    hosts = ("127.0.0.2", "other.example", "*.example.net", "private.example", "closed.example")
    daemon = wire.daemon(
        f"--users={wire.file('near', 'here:Here' + chr(10))}",
        *(f"--listen=unix:{path}", "--listen=tcp:79:interface=9.9.9.11"),
        *(f"--forward={host}" for host in (*hosts, "own.example", "both.example", "[::1]")),
        *("--mask=radix", "--replace=Happy=Sad"),
        inside=["nsenter", f"--target={far.pid}", "--net", "--mount"],
    )
    daemon.asks(
        "here\r\n",
        *(f"moshez@{host}\r\n" for host in hosts),
        *(f"@{host}\r\n" for host in hosts),
        "moshez@OTHER.example\r\n",
        "moshez@other.example.\r\n",
        "moshez@a.example.net\r\n",
        "moshez@example.net\r\n",
        "moshez@nowhere.example.net\r\n",
        "moshez@loop.example\r\n",
        "moshez@own.example\r\n",
        "moshez@both.example\r\n",
        "moshez@9.9.9.9\r\n",
        "moshez@9.9.9.11\r\n",
        "moshez@localhost\r\n",
        "moshez@[::1]\r\n",
        "moshez@::1\r\n",
        "moshez@127.0.0.2:79\r\n",
        "moshez@0177.0.0.2\r\n",
        "moshez@2130706434\r\n",
        "/W moshez@127.0.0.2\r\n",
        "moshez@127.0.0.2 /W\r\n",
        "/W @127.0.0.2\r\n",
        "nobody@127.0.0.2\r\n",
        "radix@127.0.0.2\r\n",
        "moshez@x@127.0.0.2\r\n",
        "@x@127.0.0.2\r\n",
        "moshez@x@y@127.0.0.2\r\n",
        "moshez@-x@127.0.0.2\r\n",
        "moshez@127.0.0.2 here\r\n",
        "moshez@127.0.0.2,moshez@other.example,moshez@x\r\n",
        "@\r\n",
        "moshez@\r\n",
        "@@127.0.0.2\r\n",
        "/x@127.0.0.2\r\n",
        "-x@127.0.0.2\r\n",
        "jos\u00e9@127.0.0.2\r\n",
        "a\u202eb@127.0.0.2\r\n",
        ("moshez@127.0.0.2", END),
        each("moshez@127.0.0.2\r\n"),
        at=path,
    )


@scenario("unshare", "nsenter", "ip", "nc", root=True)
def setterFromElsewhere(wire: Wire) -> None:
    """A status is set from this machine only, by way of localhost."""
    inside = wire.namespace({}, ["9.9.9.9"])
    daemon = wire.daemon(
        f"--users={wire.file('users', USERS)}",
        *(f"--listen=unix:{wire.folder}/finger", "--setter=tcp:1079:interface=9.9.9.9"),
        inside=inside,
    )
    daemon.setsInside("moshez\nFrom elsewhere\n", "nobody\nx\n", host="9.9.9.9")
    daemon.asks("moshez\r\n", at=f"{wire.folder}/finger")
