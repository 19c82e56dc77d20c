"""What a request line may say: names, several names, switches, other hosts."""

from __future__ import annotations

from tests.wire.client import END
from tests.wire.scenarios import scenario
from tests.wire.scenarios.lines import USERS
from tests.wire.wire import Wire

ADA = """\
[ada]
name = "Ada Lovelace"
status = "Counting"
public_key = "ssh-ed25519 AAAA ada"
plan = "To weave"
[eve]
status = "Listening"
"""


@scenario()
def switches(wire: Wire) -> None:
    """``/W`` counts as the first or the last word, in any case; other switches are ignored."""
    wire.daemon(f"--directory=toml:{wire.file('users.toml', ADA)}").asks(
        "ada\r\n",
        "/W ada\r\n",
        "/w ada\r\n",
        "ada /W\r\n",
        "ada /w\r\n",
        "/W ada /W\r\n",
        "ada /W eve\r\n",
        "/W ada eve\r\n",
        "ada eve /W\r\n",
        "ada,/W\r\n",
        "/W,ada\r\n",
        "/W\r\n",
        "/w\r\n",
        "/W \r\n",
        " /W\r\n",
        "/W /W\r\n",
        ("/W", END),
        "/Wada\r\n",
        "/WW ada\r\n",
        "/W/W ada\r\n",
        "/X ada\r\n",
        "ada /X\r\n",
        "/X\r\n",
        "/\r\n",
        "/ ada\r\n",
        "/X /W ada\r\n",
        "/W /X ada\r\n",
        "/PLAN ada\r\n",
        "-l ada\r\n",
        "-l\r\n",
        "ada/W\r\n",
        "//ada\r\n",
        "/ada\r\n",
        "../../etc/passwd\r\n",
        "/etc/passwd\r\n",
        "\\W ada\r\n",
        "\uff0fW ada\r\n",
    )


@scenario()
def severalNames(wire: Wire) -> None:
    """Names separated by spaces or commas are each answered; of more than eight it says so."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        "moshez radix\r\n",
        "moshez,radix\r\n",
        "moshez, radix\r\n",
        "moshez ,radix\r\n",
        ",moshez,,radix,\r\n",
        ",\r\n",
        ",,,\r\n",
        "radix moshez\r\n",
        "moshez moshez\r\n",
        "moshez nobody\r\n",
        "nobody noone\r\n",
        "acapnotic glyph josé\r\n",
        "itamar moshez\r\n",
        "a b c d e f g h\r\n",
        "a b c d e f g h i\r\n",
        "moshez radix glyph josé itamar acapnotic 0 Case a.b-c_d\r\n",
        "a " * 250 + "\r\n",
        "," * 512 + "\r\n",
        "moshez @example.com\r\n",
        "moshez radix@example.com\r\n",
        "/W moshez radix\r\n",
        "moshez /x radix\r\n",
        "moshez ../x -l\r\n",
        "0 . root\r\n",
        "moshez;radix\r\n",
        "moshez|radix\r\n",
        "moshez\u200bradix radix\r\n",
    )


@scenario()
def whatNamesNobody(wire: Wire) -> None:
    """A name with control characters, or that isn't UTF-8, is no such user, and is never echoed."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        *(bytes([byte]) + b"\r\n" for byte in range(1, 9)),
        *(b"mos" + bytes([byte]) + b"hez\r\n" for byte in range(11, 32) if byte != 13),
        "mos\x7fhez\r\n",
        "mos\x80hez\r\n",
        "mos\x85hez\r\n",
        "mos\x9bhez\r\n",
        b"\x80\r\n",
        b"mos\xc3\r\n",
        b"mos\xc3\x28hez\r\n",
        b"\xc0\xaf\r\n",
        b"\xe2\x82\r\n",
        b"\xed\xa0\x80\r\n",
        b"\xf4\x90\x80\x80\r\n",
        b"\xf8\x88\x80\x80\x80\r\n",
        b"jos\xe9\r\n",
        b"moshez\xfe radix\r\n",
        "\x1b[2Jmoshez\r\n",
        "\x1b]0;title\x07 moshez\r\n",
        "moshez \x01 radix\r\n",
        "\u202emoshez\r\n",
        "\ufeffmoshez\r\n",
        "mos\u200bhez\r\n",
        "mos\u00adhez\r\n",
        "mos\U000e0041hez\r\n",
        "\u2028\r\n",
        "moshez\u2028radix\r\n",
        "\ufffd\r\n",
        "\U0001f600\r\n",
        "\U0010ffff\r\n",
    )


@scenario()
def names(wire: Wire) -> None:
    """A login is found as it is written, and all others are unknown alike."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        "moshez\r\n",
        "acapnotic\r\n",
        "radix\r\n",
        "itamar\r\n",
        "josé\r\n",
        "jose\u0301\r\n",
        "jose\r\n",
        "glyph\r\n",
        "Moshez\r\n",
        "MOSHEZ\r\n",
        "case\r\n",
        "Case\r\n",
        "a.b-c_d\r\n",
        "0\r\n",
        "$HOME\r\n",
        "%s\r\n",
        "%n%n%n\r\n",
        ".\r\n",
        "..\r\n",
        "root\r\n",
        "*\r\n",
        "?\r\n",
        "~\r\n",
        "moshe\r\n",
        "moshezz\r\n",
        "moshez.\r\n",
        "moshez:\r\n",
        "moshez:Happy\r\n",
        "'moshez'\r\n",
        '"moshez"\r\n',
        "`id`\r\n",
        "$(id)\r\n",
        "<script>\r\n",
        "-\r\n",
        "--help\r\n",
        "-moshez\r\n",
        "#\r\n",
        "№\r\n",
    )


@scenario()
def notForwarding(wire: Wire) -> None:
    """Without --forward, every way to ask for forwarding is refused in the known words."""
    wire.daemon(f"--users={wire.file('users', USERS)}").asks(
        "moshez@example.com\r\n",
        "@example.com\r\n",
        "moshez@a@b\r\n",
        "@a@b\r\n",
        "/W moshez@example.com\r\n",
        "/W @example.com\r\n",
        "moshez@example.com /W\r\n",
        "@\r\n",
        "moshez@\r\n",
        "@@\r\n",
        "@@@@@@@@@@@@@@@@@@@@@@@@@\r\n",
        "moshez@localhost\r\n",
        "moshez@127.0.0.1\r\n",
        "moshez@[::1]\r\n",
        "moshez @localhost\r\n",
        "moshez@ localhost\r\n",
        "@example.com @example.org\r\n",
        "moshez@exa\x01mple.com\r\n",
        "moshez@éxample.com\r\n",
        ("moshez@example.com", END),
    )
