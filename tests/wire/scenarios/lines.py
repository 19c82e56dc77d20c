"""The request line: how it may end, how its bytes may come, and what may be around it."""

from __future__ import annotations

from tests.wire.client import END, each
from tests.wire.scenarios import scenario
from tests.wire.wire import Wire

USERS = """\
# Who is who
moshez:Happy and well
acapnotic:Out to lunch:
  back at two
radix:Writing
josé:Está en la reunión
glyph:☕ at the café
itamar:
Case:Upper case
a.b-c_d:Dots, dashes and underscores
0:Zero
$HOME:No shell looks at this
%s:No format either
"""


@scenario()
def lineEnds(wire: Wire) -> None:
    """A line may end in CR LF, LF, CR NUL or the end of the input: the answer is the same."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        "moshez\r\n",
        "moshez\n",
        "moshez\r\0",
        ("moshez", END),
        ("moshez\r\n", END),
        ("moshez\n", END),
        ("moshez\r", END),
        ("moshez\r\0", END),
        "moshez\r\r\n",
        "moshez\r\r\0",
        ("moshez\0", END),
        "moshez\0\r\n",
        "mos\rhez\r\n",
        "mos\r\0hez\r\n",
        "mos\nhez\r\n",
        "\r\n",
        "\n",
        "\r\0",
        (END,),
        ("\r", END),
        "\n\r\n",
        "\r\n\r\n",
        "\0\r\n",
    )


@scenario()
def bytesThatComeSlowly(wire: Wire) -> None:
    """A line may come in pieces, or a byte at a time, as from telnet and finger(1)."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        each("moshez\r\n"),
        each("moshez\n"),
        each("moshez\r\0"),
        [*each("moshez"), END],
        each("/W moshez\r\n"),
        each("\r\n"),
        each("josé\r\n"),
        each("moshez radix\r\n"),
        each(b"\xff\xfb\x1f\xff\xfd\x03moshez\r\n"),
        each(b"mos\xff\xf1hez\r\n"),
        each(b"\xff\xfa\x18\x00xterm\xff\xf0moshez\r\n"),
        ("/W ", "moshez", "\r\n"),
        ("mos", "hez", "\r", "\n"),
        ("moshez\r", "\n"),
        ("moshez\r", "\0"),
        ("moshez", END),
        ("mos", "hez", END),
        ("", "moshez", "\r\n"),
        (b"jos\xc3", b"\xa9\r\n"),
        (b"\xff", b"\xfb\x01moshez\r\n"),
        (b"\xff\xfb", b"\x01moshez\r\n"),
        ("a" * 512, "\r\n"),
        each("a" * 513),
    )


@scenario()
def telnetNegotiation(wire: Wire) -> None:
    """What telnet and PuTTY negotiate before and in a line is dropped."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        b"\xff\xfb\x1fmoshez\r\n",
        b"\xff\xfc\x1fmoshez\r\n",
        b"\xff\xfd\x03moshez\r\n",
        b"\xff\xfe\x03moshez\r\n",
        b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27\xff\xfd\x01\xff\xfb\x03\xff\xfd\x03\r\n",
        b"mos\xff\xfb\x01hez\r\n",
        b"moshez\xff\xfb\x01\r\n",
        b"moshez\r\xff\xfb\x01\n",
        b"\xff\xf1moshez\r\n",
        b"\xff\xf9moshez\r\n",
        b"\xff\xf4\xff\xfd\x06\r\n",
        b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0moshez\r\n",
        b"\xff\xfa\x18\x00moshez\r\n\xff\xf0radix\r\n",
        b"\xff\xff\r\n",
        b"moshez\xff\xff\r\n",
        b"\xff\r\n",
        b"\xffmoshez\r\n",
        b"\xff\xf0moshez\r\n",
        b"\xff\xef\r\n",
        b"\xff\xfb\rmoshez\r\n",
        b"\xff\xfb\nmoshez\r\n",
        b"\xff\xfb\x01" * 170 + b"moshez\r\n",
        b"\xff\xfb\x01" * 171 + b"moshez\r\n",
        (b"moshez\xff", END),
        (b"moshez\xff\xfb", END),
        (b"\xff\xfb\x01", END),
        b"\xff\xfa" + b"a" * 500 + b"\xff\xf0moshez\r\n",
        b"\xff\xfa" + b"a" * 600 + b"\xff\xf0moshez\r\n",
    )


@scenario()
def whiteSpace(wire: Wire) -> None:
    """Spaces and TABs before, behind and between names don't count."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        " moshez\r\n",
        "moshez \r\n",
        "   moshez   \r\n",
        "\tmoshez\r\n",
        "moshez\t\r\n",
        "\t \tmoshez \t\r\n",
        " \r\n",
        "\t\r\n",
        "          \n",
        (" ", END),
        "moshez\tradix\r\n",
        "moshez   radix\r\n",
        "moshez \t radix\r\n",
        "/W\tmoshez\r\n",
        "/W   moshez\r\n",
        " /W moshez\r\n",
        "\u00a0moshez\r\n",
        "\u3000moshez\r\n",
        "moshez\u2003radix\r\n",
        "\x0bmoshez\r\n",
        "moshez\x0c\r\n",
    )


@scenario()
def tooLong(wire: Wire) -> None:
    """More than 512 bytes before the line ends are refused in words."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        "a" * 511 + "\r\n",
        "a" * 512 + "\r\n",
        "a" * 512 + "\n",
        "a" * 512 + "\r\0",
        ("a" * 512, END),
        "a" * 513 + "\r\n",
        "a" * 513 + "\n",
        "a" * 513,
        ("a" * 513, END),
        "a" * 514,
        "a" * 600 + "\r\nmoshez\r\n",
        "a" * 20_000,
        " " * 506 + "moshez\r\n",
        " " * 507 + "moshez\r\n",
        "é" * 256 + "\r\n",
        "é" * 257 + "\r\n",
        "/W " + "a" * 509 + "\r\n",
        "/W " + "a" * 510 + "\r\n",
        b"\x00" * 600,
        b"\xfe" * 600,
        b"\xff" * 600,
        b"\xff" * 1200 + b"\r\n",
        ("a" * 300, "a" * 300),
    )


@scenario()
def bytesAfterTheLine(wire: Wire) -> None:
    """Whatever comes behind the line is thrown away, and doesn't cost the client its answer."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        "moshez\r\nradix\r\n",
        "moshez\nradix\n",
        "\r\n\r\n",
        "moshez\r\n\r\n\r\n",
        ("moshez\r\n", "radix\r\n"),
        ("moshez\r\nradix\r\n", END),
        "moshez\r\n" + "x" * 1000,
        "moshez\r\n" + "x" * 100_000,
        ("moshez\r\n" + "x" * 100_000, END),
        b"moshez\r\n" + bytes(1000),
        b"moshez\r\n" + b"\xff" * 1000,
        "moshez\r\0radix\r\0",
        "\r\n" + "moshez\r\n" * 1000,
        "GET / HTTP/1.0\r\n\r\n",
        "GET /moshez HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/7.88.1\r\n\r\n",
        "/W moshez\r\n" + "y" * 10_000,
        "nobody\r\n" + "y" * 10_000,
    )


@scenario()
def realClients(wire: Wire) -> None:
    """finger(1), lynx, ELinks, netcat, telnet, nmap and others are answered."""
    daemon = wire.daemon(f"--users={wire.file('users', USERS)}")
    wire.note("Debian's finger")
    daemon.asks(("moshez", "\r\n"), ("/W ", "moshez", "\r\n"), ("\r\n",), ("/W ", "\r\n"))
    wire.note("Debian's finger moshez@first@localhost")
    daemon.asks(("moshez@first", "\r\n"), ("@first", "\r\n"), ("/W ", "moshez@first", "\r\n"))
    wire.note("FreeBSD's finger")
    daemon.asks(("moshez\r\n", END), ("/W moshez\r\n", END), ("\r\n", END))
    wire.note("lynx and ELinks")
    daemon.asks("moshez\r\n", "/w moshez\r\n", " moshez\r\n")
    wire.note("nc, nc -N, Ncat, and printf moshez | nc -N")
    daemon.asks("moshez\n", ("moshez\n", END), ("moshez", END))
    wire.note("telnet and PuTTY")
    daemon.asks(
        b"\xff\xfd\x03\xff\xfb\x18\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x21\xff\xfb\x22moshez\r\n",
        each("moshez\r\0"),
    )
    wire.note("nmap")
    daemon.asks(
        "\r\n", "\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "HELP\r\n", "OPTIONS / RTSP/1.0\r\n\r\n"
    )
    daemon.asks(
        b"\x16\x03\x00\x00S\x01\x00\x00O\x03\x00?G\xd7\xf7\xba,\xee\xea\xb2`~\xf3\x00\xfd\x82{\n",
        b"\x00\x1e\x00\x06\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\n",
    )
    wire.note("Metasploit, and other scanners")
    daemon.asks("root\r\n", "0\r\n", ".\r\n", "a b c d e f g h\r\n", "root@\r\n", "|/bin/id\r\n")
    wire.note("a mail notifier (RFC 4146)")
    daemon.asks("nm_notifyuser\r\n")
