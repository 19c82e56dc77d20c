"""Where users are: accounts, a plugin, the program itself."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.wire.client import END
from tests.wire.daemon import IS_ROOT, ROOT
from tests.wire.scenarios import scenario
from tests.wire.wire import Wire

LISTS = ("\r\n", "/W\r\n")


def bothWays(*logins: str) -> list[str]:
    """Ask for each of these, without and with C{/W}."""
    return [f"{switch}{login}\r\n" for login in logins for switch in ("", "/W ")]


IN_THE_FILE = "ada eve amp bare comma latin evil long low short bad nobody +nis crlf"


@scenario()
def passwdFile(wire: Wire) -> None:
    """A file in the format of passwd(5) has users, shown as finger(1) shows them."""
    lines = (
        b"ada:x:1001:100:Ada Lovelace,Room 1,555 1234,555 4321:/nowhere:/bin/sh\n"
        b"eve:x:1002:100:&,,,:/nowhere:/bin/sh\n"
        b"amp:x:1003:100:Mr & Mrs &,,:/nowhere:/bin/sh\n"
        b"bare:x:1004:100::/nowhere:/bin/sh\n"
        b"comma:x:1005:100:Name,,,555,more,and more:/nowhere:/bin/sh\n"
        b"latin:x:1006:100:Caf\xe9:/nowhere:/bin/sh\n"
        b"evil:x:1007:100:\x1b[31mRed,\x07:/nowhere:/bin/sh\n"
        b"long:x:1008:100:" + b"n" * 300 + b":/nowhere:/bin/sh\n"
        b"low:x:7:7:Low uid:/nowhere:/bin/sh\n"
        b"ada:x:1009:100:Another Ada:/nowhere:/bin/sh\n"
        b"short:x:1010:100\n"
        b"bad:x:many:100:Bad uid:/nowhere:/bin/sh\n"
        b"no body:x:1011:100:A space:/nowhere:/bin/sh\n"
        b"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        b"+nis::::::\n"
        b"crlf:x:1012:100:With a CR:/nowhere:/bin/sh\r\n"
    )
    path = wire.file("passwd", lines)
    logins = tuple(IN_THE_FILE.split())
    daemon = wire.daemon(f"--directory=passwd:{path}")
    daemon.asks(*LISTS, *bothWays(*logins))
    daemon = wire.daemon(
        f"--directory=passwd:{path}?min-uid=1001,max-uid=1002", "--user-fields=all", "--match"
    )
    daemon.asks(*LISTS, "ada\r\n", "eve\r\n", "low\r\n", "crlf\r\n", "Lovelace\r\n", "Eve\r\n")


LOGINS = (
    "full plan project pubkey pgpkey both hides links fifo folder big latin evil blank windows "
    "notmine"
)


@scenario()
def homes(wire: Wire) -> None:
    """Plan, project and key are read from homes, if they are regular files of that user."""
    uid = 1001 if IS_ROOT else os.getuid()
    logins = tuple(LOGINS.split())
    lines = "".join(
        f"{login}:x:{uid}:100:{login.title()} Name,42:{wire.folder}/{login}:/bin/sh\n"
        for login in (*logins, "nohome")
    )
    path = wire.file("passwd", lines)
    for login in logins:
        Path(wire.folder, login).mkdir()
    files: dict[str, str | bytes] = {
        "full/.plan": "To be\nor not\n\n",
        "full/.project": "First line\nsecond line\n",
        "full/.pubkey": "ssh-ed25519 AAAA full\n",
        "plan/.plan": "   indented\n",
        "project/.project": "Only a project",
        "pubkey/.pubkey": "A public key",
        "pgpkey/.pgpkey": "A PGP key\nof two lines\n",
        "both/.pubkey": "This one",
        "both/.pgpkey": "Not this one",
        "hides/.plan": "Nobody sees this",
        "hides/.nofinger": "",
        "links/real": "Not by a link",
        "big/.plan": "x" * 65537,
        "big/.project": "y" * 65536,
        "latin/.plan": b"caf\xe9\n",
        "evil/.plan": "\x1b[2J\u202eevil\r\n\x07",
        "evil/.project": "\x1b]0;x\x07 title",
        "blank/.plan": "  \n\n",
        "windows/.plan": "one\r\ntwo\r\n",
        "notmine/.plan": "Somebody else's",
    }
    for name, content in files.items():
        wire.file(name, content)
    Path(wire.folder, "links/.plan").symlink_to("real")
    os.mkfifo(f"{wire.folder}/fifo/.plan")
    Path(wire.folder, "folder/.plan").mkdir()
    if IS_ROOT:
        for folder, _, found in os.walk(wire.folder):
            if folder != wire.folder:
                for owned in (folder, *(os.path.join(folder, name) for name in found)):
                    os.chown(owned, uid, 100, follow_symlinks=False)
        os.chown(f"{wire.folder}/notmine/.plan", 1002, 100)
    else:
        Path(wire.folder, "notmine/.plan").unlink()
    daemon = wire.daemon(f"--directory=passwd:{path}")
    daemon.asks(*LISTS, *bothWays(*logins, "nohome", "nobody"))
    daemon.sets("full\nSet by me\n", "hides\nSet all the same\n")
    daemon.asks("full\r\n", "hides\r\n", "\r\n")
    wire.daemon(f"--directory=passwd:{path}", "--no-plan").asks("full\r\n", "/W full\r\n")


ACCOUNTS = """\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
daemon:x:1:1:daemon:/nonexistent:/usr/sbin/nologin
ada:x:1001:100:Ada Lovelace,Room 1,555 1234,555 4321:/nonexistent:/bin/sh
eve:x:1002:100:&,,,:/nonexistent:/bin/sh
"""


@scenario("unshare", root=True)
def accounts(wire: Wire) -> None:
    """The system's accounts are users, from uid 1000 on unless it says otherwise."""
    inside = wire.namespace({"passwd": ACCOUNTS})
    daemon = wire.daemon("--directory=passwd:", inside=inside)
    daemon.asks(*LISTS, *bothWays("ada", "eve", "root", "nobody", "daemon", "mallory"))
    daemon = wire.daemon("--directory=passwd:min-uid=1,max-uid=1001", "--match", inside=inside)
    daemon.asks(*LISTS, "daemon\r\n", "ada\r\n", "eve\r\n", "root\r\n", "Lovelace\r\n")


@scenario()
def plugin(wire: Wire) -> None:
    """A directory that comes as a plugin is like the others."""
    folder = ROOT / "docs/plugin"
    environment = {"PYTHONPATH": f"{ROOT}:{folder}"}
    people = f"--directory=phonebook:{folder}/people.csv"
    wire.varies(str(folder), "docs/plugin")
    daemon = wire.daemon(people, "--directory=none:", "--match", environment=environment)
    daemon.asks(*LISTS, *bothWays("moshez", "radix", "nobody"), "Zadka\r\n")
    daemon.sets("moshez\nHello\n", "nobody\nHello\n")
    daemon.asks("moshez\r\n", "\r\n")


def _tac(wire: Wire, source: str) -> str:
    return wire.file("finger.tac", source.replace("os.path.abspath(__file__)", repr(f"{ROOT}/x")))


@scenario()
def tacFile(wire: Wire) -> None:
    """finger.tac runs the daemon with the users file and the ports that its environment names."""
    users = wire.file("users", "moshez:Happy and well\nradix:Writing\n")
    environment = {"FINGER_PORT": "0", "FINGER_SETTER_PORT": "0", "FINGER_USERS": users}
    daemon = wire.daemon(tac=str(ROOT / "finger.tac"), environment=environment)
    daemon.asks(*LISTS, "moshez\r\n", "nobody\r\n", "moshez@example.com\r\n", "moshez radix\r\n")
    daemon.asks("a" * 513, ("radix", END))
    daemon.sets("moshez\nSet\n", "nobody\nSet\n")
    daemon.asks(*LISTS, "moshez\r\n")


@scenario()
def tacWithUsers(wire: Wire) -> None:
    """Users can be given in a .tac file, as docs/tac.md shows: they come first."""
    source = (ROOT / "finger.tac").read_text("utf-8")
    page = (ROOT / "docs" / "tac.md").read_text("utf-8")
    # Two of its examples in one: users given right there, and a directory of one's own.
    [own] = re.findall(r"(?s)```python\n([^`]*class Weather:[^`]*?)directories = ", page)
    code = (
        f"from fingerd.directories.given import GivenUsers\n{own}"
        'given = GivenUsers(moshez="Happy and well")\n'
        "directories = [given, UsersFile(USERS, reactor), Weather()]\n"
        "finger = FingerService(reactor, directories, SQLiteStore(STATE, reactor, lesser))\n"
    )
    source, count = re.subn(r"(?m)^finger = .*\n", lambda _: code, source)
    assert count == 1
    users = wire.file("users", "moshez:Of the file\nradix:Writing\nweather:Of the file\n")
    environment = {"FINGER_PORT": "0", "FINGER_SETTER_PORT": "0", "FINGER_USERS": users}
    daemon = wire.daemon(tac=_tac(wire, source), environment=environment)
    daemon.asks(
        *LISTS, "moshez\r\n", "radix\r\n", "weather\r\n", "nobody\r\n", "moshez weather\r\n"
    )
    daemon.sets("moshez\nSet\n", "weather\nRainy\n", "radix\nReading\n")
    daemon.asks(*LISTS, "moshez\r\n", "weather\r\n", "radix\r\n")
    daemon.sets("moshez\n\n")
    daemon.asks("moshez\r\n")
