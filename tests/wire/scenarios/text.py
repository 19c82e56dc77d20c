# ruff: noqa: RUF001
"""What users wrote, on its way to a terminal."""

from __future__ import annotations

from tests.wire.scenarios import scenario
from tests.wire.wire import Wire


@scenario()
def cleaning(wire: Wire) -> None:
    """Controls, and what turns text around, are taken out: no status drives a terminal."""
    statuses = {
        "escape": "\x1b[31mred\x1b[0m",
        "title": "\x1b]0;owned\x07",
        "bell": "ding\x07dong",
        "backspace": "abc\x08\x08\x08xyz",
        "delete": "abc\x7fdef",
        "c1": "a\x9b2Jb\x85c",
        "tab": "a\tb",
        "cr": "safe\roverwritten",
        "vt": "a\x0bb\x0cc",
        "nul": "a\x00b",
        "override": "\u202eevil\u202c",
        "isolates": "\u2066a\u2069\u2067b\u2068c",
        "marks": "\u200ea\u200fb\u061cc",
        "zero": "a\u200bb\u200cc\u200dd\u2060e\ufefff",
        "soft": "soft\u00adhyphen",
        "separators": "a\u2028b\u2029c",
        "tags": "a\U000e0041\U000e007fb",
        "annotation": "a\ufff9b\ufffac\ufffbd",
        "music": "a\U0001d173b",
        "empty": "\x1b\x07",
        "spaces": "   ",
    }
    users = "".join(f"{login}:{status}\n" for login, status in statuses.items())
    daemon = wire.daemon(f"--users={wire.file('users', users)}")
    daemon.asks("\r\n", *(f"{login}\r\n" for login in statuses), "/W tab\r\n", "cr override\r\n")


@scenario()
def cleaningFields(wire: Wire) -> None:
    """Every field of a TOML file is cleaned, and what should be one line is one line."""
    evil = r"a\u001b[1mb\u202ec\td\u0085e\u2028f"
    keys = ("name", "status", "office", "office_phone", "home_phone", "project", "plan")
    users = "".join(f'[{key}]\n{key} = "{evil}"\n' for key in (*keys, "public_key"))
    users += "[everything]\n" + "".join(f'{key} = "{evil}"\n' for key in (*keys, "public_key"))
    users += '["e\\u202evil"]\nstatus = "not a login"\n["a b"]\nstatus = "nor this"\n'
    daemon = wire.daemon(
        f"--directory=toml:{wire.file('users.toml', users)}",
        "--user-fields=all",
        "--list-fields=all",
    )
    daemon.asks("\r\n", "/W\r\n", *(f"{key}\r\n" for key in keys), "public_key\r\n")
    daemon.asks("everything\r\n", "evil\r\n", "e\u202evil\r\n")


@scenario()
def width(wire: Wire) -> None:
    """Wide and combining letters and emoji keep the list's columns straight and within 80."""
    users = """\
[wide]
name = "日本語の名前"
status = "会議中です"
[long]
name = "A name that goes on and on, as if there were no other column beside it"
status = "And a status that goes on as long, so that the two can't be beside each other"
[widelong]
name = "日本語の名前がとても長いので一行に収まらないかもしれない"
status = "会議中です会議中です会議中です会議中です会議中です会議中です会議中です会議中です"
[combining]
name = "Jose\\u0301 Nu\\u0301n\\u0303ez"
status = "Z\\u0351\\u036B\\u0343\\u036A\\u0302a\\u0336\\u0334lgo"
[starts]
name = "\\u0301leading mark"
status = "\\u0301leading mark"
[emoji]
name = "👩‍👩‍👧‍👦 family"
status = "❤️ 🇮🇱 👍🏽 ☕"
[hebrew]
name = "משה צדקה"
status = "שמח וטוב לו"
[arabic]
name = "محمد"
status = "بخير"
[devanagari]
name = "नमस्ते"
status = "ठीक हूँ"
[hangul]
name = "\\u1112\\u1161\\u11ab\\u1100\\u1173\\u11af"
status = "한글"
[fullwidth]
name = "ＦＵＬＬ"
status = "ﾊﾝｶｸ"
[ambiguous]
name = "α±§¶"
status = "…—“”"
[private]
name = "\\uE000"
status = "\\U000F0000"
[office]
name = "Name in the header that is too long to be beside it"
office = "日本語の部屋"
office_phone = "555"
home_phone = "556"
project = "このプロジェクトはとても長い名前を持っているので一行に収まらないでしょうはい"
["登録名"]
status = "A wide login"
"""
    logins = (
        "wide long widelong combining starts emoji hebrew arabic devanagari hangul fullwidth "
        "ambiguous private office 登録名"
    )
    daemon = wire.daemon(f"--directory=toml:{wire.file('users.toml', users)}", "--user-fields=all")
    daemon.asks("\r\n", "/W\r\n", *(f"{login}\r\n" for login in logins.split()))
    daemon = wire.daemon(f"--directory=toml:{wire.file('users.toml', users)}", "--list-fields=all")
    daemon.asks("\r\n")


@scenario()
def longTexts(wire: Wire) -> None:
    """A long plan comes whole; an answer of more than 256 KiB is cut, and says so."""
    lines = "".join(f"Line {number} of a plan\n" for number in range(2000))
    manyLines = "a line\n" * 30_000
    texts = {
        "planned": {"plan": f"\n{lines}"},
        "wordy": {"status": "wordy " * 100},
        "nobreak": {"status": "x" * 500, "project": "y" * 100},
        "huge": {"name": "Huge", "plan": "z" * 250_000},
        "hugelines": {"plan": f"{'line' * 10}\n{manyLines}"},
        "toomuch": {"plan": manyLines + manyLines},
        "indented": {"plan": "\n\n   (^_/)\n   (o.o)   \n\n\n"},
        "project": {"name": "P", "project": "p" * 71},
        "project2": {"name": "P", "project": "p" * 72},
        "status": {"name": "S", "status": "s" * 72},
        "status2": {"name": "S", "status": "s" * 73},
        "names": {"name": "n" * 40},
        "names2": {"name": "n" * 41},
    }
    users = "".join(
        f"[{login}]\n" + "".join(f'{key} = """{text}"""\n' for key, text in fields.items())
        for login, fields in texts.items()
    )
    daemon = wire.daemon(f"--directory=toml:{wire.file('users.toml', users)}")
    daemon.asks(*(f"{login}\r\n" for login in texts))
    daemon.asks("huge planned\r\n", "huge huge\r\n", "wordy nobreak\r\n", "\r\n", "/W\r\n")


@scenario()
def usersFile(wire: Wire) -> None:
    """A users file is read leniently: comments, continued lines, later lines, wrong ones."""
    users = (
        b"\xef\xbb\xbffirst:Behind a byte order mark\n"
        b"# A comment\n"
        b"   # not a continued line of anything\n"
        b"spaces  :   around it   \n"
        b"twice:once\n"
        b"twice:again\n"
        b"continued:one\n"
        b"  two\n"
        b"\tthree\n"
        b"\n"
        b"  four\n"
        b"colons:a:b:c\n"
        b"empty:\n"
        b"blank:   \n"
        b"no colon here\n"
        b"two words:No\n"
        b"-dash:No\n"
        b"/slash:No\n"
        b"at@host:No\n"
        b"comma,comma:No\n"
        b":nobody\n"
        b"latin1:caf\xe9\n"
        b"crlf:With a CR\r\n"
        b"hash:a # b\n"
        b"long:" + b"l" * 5000 + b"\n"
        b"last:No line end"
    )
    logins = (
        "first spaces twice continued colons empty blank no two -dash /slash comma latin1 crlf "
        "hash long last"
    )
    daemon = wire.daemon(f"--directory=file:{wire.file('users', users)}")
    daemon.asks("\r\n", "/W\r\n", *(f"{login}\r\n" for login in logins.split()))


@scenario()
def emptyUsersFile(wire: Wire) -> None:
    """Where there is nobody, the list says so."""
    wire.daemon(f"--users={wire.file('users', '')}").asks("\r\n", "/W\r\n", "moshez\r\n", "a b\r\n")
    wire.daemon("--directory=none:").asks(
        "\r\n", "/W\r\n", "moshez\r\n", "/W moshez\r\n", "a b\r\n"
    )
