"""docs/directories.md: its commands run, its examples are what is answered, its figures are so."""

from __future__ import annotations

import contextlib
import re
import shlex
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from fingerd.directories.by_url import _MODULES
from fingerd.model.limits import DEFAULTS
from fingerd.model.user import User
from tests.daemon.sources import UNKNOWN, WithFolder, over
from tests.directories.servers import PostgreSQLServer, Slapd, entry, person
from tests.support.daemon import ROOT, Daemon, needs

PAGE = (ROOT / "docs/directories.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
COMMANDS = re.findall(r"^twistd .+$", PAGE, re.M)
FILES = (
    *("/etc/users", "/etc/fingerd/users.toml", "/etc/fingerd/passwd", "/opt/who"),
    *("/etc/fingerd/people.toml", "/etc/fingerd/ldap.toml", "/etc/fingerd/ldaps.toml"),
    "/var/lib/staff.sqlite",
)
HOST = "internal.example.com"
# What is tried with servers that not every machine has.
DATABASES = re.compile("(?:postgresql|sqlite|ldaps?):")


def block(section: str, kind: str) -> str:
    """The block of that kind in a section."""
    found = dict(re.findall(r"^```(\w*)\n(.*?)^```$", SECTIONS[section], re.M | re.S))
    return str(found[kind])


STAFF = """
INSERT INTO people (login, full_name, room, phone, plan, hidden) VALUES
    ('moshez', 'Moshe Zadka', 42, '555-0042', 'Several lines\nare welcome here', false),
    ('radix', 'Christopher', 7, NULL, NULL, true), ('itamar', 'Itamar', NULL, NULL, NULL, false)
"""
MOSHEZ = User(
    *("moshez", "Moshe Zadka"),
    office="42",
    officePhone="555-0042",
    plan="Several lines\nare welcome here",
)
STAFF_ENTRIES = (
    entry("domain", "dc=example,dc=com", dc="example")
    + entry("organizationalUnit", "ou=people,dc=example,dc=com", ou="people")
    + entry("organizationalUnit", "ou=services,dc=example,dc=com", ou="services")
    + entry(
        *("person", "cn=finger,ou=services,dc=example,dc=com"),
        **{"cn": "finger", "sn": "finger", "userPassword": "..."},
    )
    + person(MOSHEZ)
    + person(User("itamar", name="Itamar"))
    + person(User("radix", name="Christopher"), "TRUE")
)


class PageTests(WithFolder):
    """Only ports, hosts and the places of files are others than the page's."""

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "etc/fingerd").mkdir(parents=True)
        (self.folder / "opt").mkdir()
        (self.folder / "var/lib").mkdir(parents=True)
        self.file("etc/users", block("file:", ""))
        self.file("etc/fingerd/users.toml", block("toml:", "toml"))
        self.file("etc/fingerd/passwd", "vera:x:70000:70000:Vera Virtual:/nonexistent:/bin/false\n")
        self.file("opt/who", '#!/bin/sh\nprintf "%s\\n" "$@"\n', 0o755)
        self.tried: list[str] = []

    def daemon(self, command: str, host: str = "", places: Mapping[str, str] = {}) -> Daemon:
        """
        The daemon of a command of the page.

        @param places: what stands in the place of what is on the page.
        """
        self.assertIn(command, COMMANDS)
        self.tried.append(command)
        for path in FILES:
            command = re.sub(rf"(?<![\w/]){path}\b", f"{self.folder}{path}", command)
        command = re.sub(rf"{HOST}(:7979)?", host, command)
        for place, other in places.items():
            command = command.replace(place, other)
        [twistd, *words] = shlex.split(command)
        self.assertEqual(twistd, "twistd")
        listen = "--listen=tcp:0:interface=127.0.0.1"
        return Daemon("--pidfile=", *words, listen, "--no-setter")

    def test_commands(self) -> None:
        """Each command of the page starts a daemon that does what the page says of it."""
        needs("finger")
        twistd = "twistd -n finger --directory "
        with self.daemon(f"{twistd}file:/etc/users --directory passwd:") as daemon:
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
            self.assertEqual(daemon.ask(b"no-such-user\n"), UNKNOWN)
        with self.daemon(f"{twistd}file:/etc/users") as daemon:
            self.assertEqual(daemon.ask(b"radix\n"), b"Writing\r\na web server\r\n")
        with self.daemon(f"{twistd}toml:/etc/fingerd/users.toml") as daemon:
            said = daemon.ask(b"moshez\n").decode()
            for text in ("Name: Moshe Zadka", "Office: 42, 555-0042", "Status: Happy and well"):
                self.assertIn(text, said)
            self.assertTrue(said.endswith("Plan:\r\nSeveral lines\r\nare welcome here\r\n"), said)
            self.assertNotIn("ssh-ed25519", said)
            self.assertIn(b"ssh-ed25519 AAAA", daemon.ask(b"/W moshez\n"))
            self.assertNotIn(b"555-0100", daemon.ask(b"/W moshez\n"))
            self.assertEqual(daemon.ask(b"radix\n"), UNKNOWN)
        for rest in ("", "min-uid=500,max-uid=59999", "closed-homes=hide"):
            with self.daemon(f"{twistd}passwd:{rest}") as daemon:
                self.assertEqual(daemon.ask(b"root\n"), UNKNOWN)
        with self.daemon(f"{twistd}passwd:/etc/fingerd/passwd") as daemon:
            self.assertIn(b"Name: Vera Virtual", daemon.ask(b"vera\n"))
        with self.daemon(f"{twistd}exec:/usr/bin/finger") as daemon:
            self.assertTrue(daemon.ask(b"root\n").startswith(b"Login: root "))
            self.assertTrue(daemon.ask(b"\n").startswith(b"[the program finger]\r\n"))
        with self.daemon(f"""{twistd}"exec:/opt/who --site 'Main Street'\"""") as daemon:
            self.assertEqual(daemon.ask(b"moshez\n"), b"--site\r\nMain Street\r\n--\r\nmoshez\r\n")
            self.assertIn(b"--site\r\nMain Street\r\n", daemon.ask(b"\n"))
            for name in (b".x\n", b"ren\xc3\xa9e\n"):
                self.assertEqual(daemon.ask(name), UNKNOWN)
        with over(f"file:{self.folder}/etc/users") as upstream:
            for rest in ("", ":7979"):
                host = f"localhost:{upstream.port}"
                with self.daemon(f"{twistd}finger://{HOST}{rest}", host) as daemon:
                    self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
                    self.assertEqual(daemon.ask(b"nobody\n"), UNKNOWN)
                    self.assertTrue(daemon.ask(b"\n").startswith(f"[{host}]\r\n".encode()))
        with self.daemon(f"{twistd}none:") as daemon:
            self.assertEqual(daemon.ask(b"moshez\n"), UNKNOWN)
            self.assertEqual(daemon.ask(b"\n"), UNKNOWN)
        self.assertEqual(self.tried, [each for each in COMMANDS if not DATABASES.search(each)])

    def test_postgresql(self) -> None:
        """With the page's table and queries, a PostgreSQL database answers as on the page."""
        server = PostgreSQLServer()
        self.addCleanup(server.remove)
        statements = block("postgresql:", "sql").split(";\n")
        server.run(*[each for each in statements if each], STAFF)
        self.file("etc/fingerd/people.toml", block("postgresql:", "toml"))
        place = f"finger@/postgres?host={server.folder}&"
        self.transcript("postgresql:", {"finger@db.example.com/staff?": place})

    def test_sqlite(self) -> None:
        """With the same table and queries, so does a SQLite database."""
        self.file("etc/fingerd/people.toml", block("postgresql:", "toml"))
        file = self.folder / "var/lib/staff.sqlite"
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(block("postgresql:", "sql").partition(";")[0])
            connection.execute(STAFF)
        self.transcript("sqlite:", {})

    def test_ldap(self) -> None:
        """With the page's file and without, an LDAP server answers as on the page."""
        server = Slapd(STAFF_ENTRIES)
        self.addCleanup(server.remove)
        told = block("ldap:", "toml").replace("/etc/fingerd/ca.pem", str(server.certificate))
        self.file("etc/fingerd/ldap.toml", told, 0o600)
        self.file("etc/fingerd/ldaps.toml", told.replace("start_tls = true\n", ""), 0o600)
        self.transcript("ldap:", {"ldap.example.com": f"127.0.0.1:{server.port}"})
        place = {"ldap.example.com": f"127.0.0.1:{server.tlsPort}"}
        self.transcript("ldaps:", place, block("ldap:", ""))

    def transcript(self, section: str, places: Mapping[str, str], shown: str = "") -> None:
        """Each command of a section starts a daemon that answers as the section shows."""
        commands = [each for each in COMMANDS if f"{section}/" in each]
        self.assertGreater(len(commands), 0)
        for command in commands:
            with self.daemon(command, places=places) as daemon:
                for step in (shown or block(section, "")).split("$ echo")[1:]:
                    asked, _, answer = step.partition("\n")
                    login = asked.partition("|")[0].strip()
                    # Without a file, nobody is hidden.
                    if "query=" in command or login == "moshez":
                        said = daemon.ask(f"{login}\n".encode()).decode()
                        self.assertEqual(said.replace("\r\n", "\n"), answer)

    def test_hiddenInOne(self) -> None:
        """Who is hidden in one directory may be known to another, and to none with --mask."""
        urls = [f"toml:{self.folder}/etc/fingerd/users.toml", f"file:{self.folder}/etc/users"]
        with over(*urls) as daemon:
            self.assertTrue(daemon.ask(b"radix\n").startswith(b"Writing\r\n"))
        with over(*urls, options=("--mask=radix",)) as daemon:
            self.assertEqual(daemon.ask(b"radix\n"), UNKNOWN)
            self.assertNotIn(b"radix", daemon.ask(b"\n"))

    def test_setOverReport(self) -> None:
        """What was set stands as a status under the text of another server."""
        with (
            over(f"file:{self.folder}/etc/users") as upstream,
            Daemon(
                *("-n", "--pidfile=", "finger", "--listen=tcp:0:interface=127.0.0.1"),
                *("--setter=tcp:0:interface=127.0.0.1", "--set-policy=anyone"),
                f"--directory=finger://localhost:{upstream.port}",
            ) as daemon,
        ):
            self.assertEqual(daemon.set("moshez", "Busy"), b"OK\r\n")
            self.assertEqual(
                daemon.ask(b"moshez\n"), b"Happy and well\r\nStatus (just now): Busy\r\n"
            )

    def test_startFails(self) -> None:
        """A file that isn't there, or isn't what it should be, ends the start with one line."""
        for url in ("file:/nonexistent", "toml:/nonexistent", f"toml:{self.folder}/etc/users"):
            daemon = Daemon(
                *("-n", "--pidfile=", "finger", "--listen=tcp:0:interface=127.0.0.1"),
                *("--no-setter", f"--directory={url}"),
            )
            self.addCleanup(daemon.__exit__)
            self.assertEqual(daemon.ended(), 1)
            path = url.partition(":")[2]
            self.assertEqual(len([line for line in daemon.log if path in line]), 1, daemon.log)

    def test_kinds(self) -> None:
        """Every kind of the daemon's own has a section, and a row in the table."""
        sections = [name.rstrip(":") for name in SECTIONS if name.endswith(":")]
        rows = re.findall(r"^\| \[`(\w+):.*?`\]\(#(\w+)\)", PAGE, re.M)
        self.assertEqual(sections, list(_MODULES))
        self.assertEqual(rows, [(name, name) for name in sections])

    def test_limits(self) -> None:
        """Every limit that it names is one, and each that has a number beside it is that."""
        named = re.findall(r"\(`(\w+)`\)", PAGE)
        self.assertGreater(len(named), 20)
        words = {8: "eight", 1000: "a thousand", 1.0: "a second", 0.5: "half a second", 4: "four"}
        said = " ".join(PAGE.split())
        for name in named:
            value = getattr(DEFAULTS, name)
            figures = {f"{value:g}", str(value), words.get(value, "-")}
            if name == "reloadSlice":
                figures = {f"{value * 1000:g} ms"}
            before = said.partition(f"(`{name}`)")[0][-60:]
            found = any(re.search(rf"(?<![\d.]){re.escape(text)}\b", before) for text in figures)
            self.assertTrue(found, f"{name}: {value}, but it says: {before}")

    def test_links(self) -> None:
        """What it links to is there."""
        for page in (ROOT / "docs/directories.md", ROOT / "docs/extending.md"):
            for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
                self.assertTrue((page.parent / link).exists(), link)
        readme = (ROOT / "README.md").read_text()
        for link in ("docs/directories.md", "docs/extending.md"):
            self.assertIn(f"({link})", readme)
            self.assertTrue(Path(ROOT / link).exists())
