"""The entries of an LDAP server: with a real one."""

from __future__ import annotations

import re
import socket
import sys
from typing import ClassVar
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.by_url import fromURL
from fingerd.directories.connected.connected_directory import ConnectedDirectory
from fingerd.directories.ldap.ldap_server import LDAPServer, Search
from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User, isLogin
from tests.directories.people import (
    CROWD,
    HIDDEN,
    MOSHEZ,
    SHOWN,
    THREADS,
    People,
    WhoIsThere,
    opened,
    written,
)
from tests.directories.servers import Slapd, entry, person
from tests.support.ports import temporaryFolder

# They share a server.
pytestmark = pytest.mark.xdist_group("ldap")

# Where the entries have what no standard attribute is for, or what this server doesn't know.
ATTRIBUTES = {
    "status": "title",
    "project": "ou",
    "public_key": "labeledURI",
    "hidden": "employeeType",
}
MAPPING = "[attributes]\n" + "".join(f'{word} = "{name}"\n' for word, name in ATTRIBUTES.items())


def everybody() -> str:
    """All of them, and the tree they are in."""
    tree = entry("domain", "dc=example,dc=com", dc="example")
    people = entry("organizationalUnit", "ou=people,dc=example,dc=com", ou="people")
    hidden = person(User(HIDDEN), "TRUE")
    return tree + people + "".join(map(person, SHOWN)) + hidden


class Server:
    """The server of this module's tests, started when it is first needed."""

    server: Slapd | None = None

    @classmethod
    def get(cls) -> Slapd:
        """The server, with everybody in it."""
        if cls.server is None:
            cls.server = Slapd(everybody())
        return cls.server


def tearDownModule() -> None:
    """Leave nothing of the server."""
    if Server.server is not None:
        Server.server.remove()
        Server.server = None


class LDAPCase(People):
    """A directory of that server."""

    tls: ClassVar[bool] = False

    def setUp(self) -> None:
        self.server = Server.get()

    def directory(self, limits: Limits = DEFAULTS, more: str = "") -> ConnectedDirectory:
        if self.tls:
            more += f'ca_file = "{self.server.certificate}"\n'
        return opened(self, self.server.url(written(self, more + MAPPING), self.tls), limits)


class LDAPTests(WhoIsThere, LDAPCase):
    """Who is in it."""

    async def test_defaults(self) -> None:
        """Without a file, the attributes are those of inetOrgPerson, and nobody is hidden."""
        directory = opened(self, self.server.url())
        expected = MOSHEZ._replace(status="", project="", publicKey="")
        self.assertEqual(await directory.getUser("moshez"), expected)
        self.assertEqual(await directory.getUser(HIDDEN), User(HIDDEN, name=HIDDEN))

    async def test_filter(self) -> None:
        """The administrator can say which entries count."""
        directory = self.directory(more='filter = "(!(roomNumber=42))"\n')
        self.assertIsNone(await directory.getUser("moshez"))
        self.assertEqual(await directory.getUser("u0"), CROWD[0])
        self.assertNotIn(MOSHEZ, await directory.getUsers(100))

    async def test_startTLS(self) -> None:
        """A plain connection can be made a safe one."""
        more = f'start_tls = true\nca_file = "{self.server.certificate}"\n'
        self.assertEqual(await self.directory(more=more).getUser("moshez"), MOSHEZ)

    async def test_bind(self) -> None:
        """The daemon can ask as somebody, with a password that isn't in the URL."""
        query = written(self, f'bind = "cn=root,dc=example,dc=com"\npassword = "secret"\n{MAPPING}')
        query.chmod(0o600)
        directory = opened(self, self.server.url(query))
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ)
        self.assertNotIn("secret", str(directory))


class LDAPSTests(WhoIsThere, LDAPCase):
    """Who is in it, by TLS."""

    tls = True


class LDAPFailingTests(LDAPCase):
    """What befalls a server."""

    async def test_restarted(self) -> None:
        """While the server is stopped lookups fail in words; started again, all is as before."""
        directory = self.directory()
        await gatherResults([directory.getUser(user.login) for user in CROWD])
        self.server.stop()
        try:
            reason = await self.fails(directory.getUser("moshez"))
        finally:
            self.server.start()
        self.assertIn("Can't contact LDAP server", reason)
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ)

    async def test_restartedMeanwhile(self) -> None:
        """Nobody notices a restart while nobody asks."""
        directory = self.directory()
        await gatherResults([directory.getUser(user.login) for user in CROWD])
        self.server.stop()
        self.server.start()
        users = await gatherResults([directory.getUser(user.login) for user in CROWD])
        self.assertEqual(users, CROWD)

    async def test_silent(self) -> None:
        """A server that says nothing is given up, whether it speaks TLS or not."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            limits = Limits(databaseConnectTime=0.2, databaseTime=0.2, databaseThreads=1)
            for scheme, words in (("ldap", "0.2 seconds"), ("ldaps", "timed out")):
                url = f"{scheme}://127.0.0.1:{port}/dc=example,dc=com"
                directory = fromURL(url, THREADS, limits)
                assert isinstance(directory, ConnectedDirectory)
                self.addCleanup(directory.stopService)
                self.assertIn(words, await self.fails(directory.getUser("moshez")))

    async def test_otherCertificate(self) -> None:
        """A server whose certificate nobody vouches for is asked nothing."""
        for directory in (
            fromURL(self.server.url(tls=True), THREADS),
            fromURL(self.server.url(written(self, "start_tls = true")), THREADS),
        ):
            assert isinstance(directory, ConnectedDirectory)
            self.addCleanup(directory.stopService)
            self.assertIn("certificate", await self.fails(directory.getUser("moshez")))

    async def test_fewer(self) -> None:
        """Of a server that gives out only so many at once, so many are listed."""
        server = Slapd(everybody(), most=5)
        self.addCleanup(server.remove)
        self.assertEqual(len(await opened(self, server.url()).getUsers(100)), 5)


class LDAPStartTests(SynchronousTestCase):
    """Mistakes that end a start, in a line."""

    def setUp(self) -> None:
        self.server = Server.get()
        self.query = temporaryFolder(self) / "query.toml"

    def test_server(self) -> None:
        """What the server doesn't have, or doesn't allow."""
        bind = 'bind = "cn=root,dc=example,dc=com"\npassword = "wrong"'
        for query, url, words in (
            (bind, self.server.url(self.query), "Invalid credentials"),
            ("", self.server.url().replace("people", "nowhere"), "No such object"),
            ('filter = "(uid=*"', self.server.url(self.query), "Bad search filter"),
        ):
            self.query.write_text(query)
            self.query.chmod(0o600)
            directory = fromURL(url, THREADS)
            assert isinstance(directory, ConnectedDirectory)
            self.addCleanup(directory.stopService)
            said = str(self.assertRaises(CannotStart, directory.startService))
            self.assertIn(words, said)
            self.assertIn("can't use ldap://127.0.0.1:", said)
            self.assertNotIn("\n", said)

    def test_file(self) -> None:
        """What makes no sense in the file, or isn't safe."""
        bind = 'bind = "cn=x"\npassword = "secret"\n'
        for query, scheme, words in (
            ("[attributes]\noffce = 'x'", "ldap", "no field called 'offce'; is it office?"),
            ("[attributes]\noffice = 'a)(b'", "ldap", "not what an attribute can be called"),
            ("[attributes]\nlogin = ''", "ldap", "login needs an attribute"),
            ("fliter = ''", "ldap", "no key called 'fliter'; is it filter?"),
            ("filter = 'uid=x'", "ldap", "stands in parentheses"),
            ("password = 'secret'", "ldap", "go together"),
            (bind, "ldap", "needs ldaps: or start_tls"),
            ("start_tls = true", "ldaps", "this is ldaps:"),
            ("start_tls = 1", "ldap", "neither true nor false"),
        ):
            self.query.write_text(query)
            self.query.chmod(0o600)
            url = f"{scheme}://ldap.example.com/dc=example,dc=com?query={self.query}"
            self.assertIn(words, str(self.assertRaises(ValueError, fromURL, url, THREADS)))
        self.query.write_text(bind)
        self.query.chmod(0o644)
        url = f"ldaps://ldap.example.com/dc=example?query={self.query}"
        error = self.assertRaises(ValueError, fromURL, url, THREADS)
        self.assertIn("can read the password", str(error))

    def test_url(self) -> None:
        """What is no server, or no place in one."""
        for url in (
            "ldap:",
            "ldap://localhost",
            "ldap://me:secret@localhost/dc=example",
            "ldap://localhost/",
            "ldaps://localhost/example.com",
            "ldap://localhost/dc=example??sub",
        ):
            self.assertRaises(ValueError, fromURL, url, THREADS)

    def test_noExtra(self) -> None:
        """Without python-ldap, it is said how to install it."""
        name = "fingerd.directories.ldap.ldap_url"
        with mock.patch.dict(sys.modules, {"ldap.dn": None}):
            # It is there if another test has imported it.
            sys.modules.pop(name, None)
            error = self.assertRaises(ValueError, fromURL, "ldap://localhost/dc=example", THREADS)
        self.assertIn("pip install 'fingerd[ldap]'", str(error))


def shape(filter: str) -> tuple[str, list[str]]:
    """A filter without its values, and these: by the grammar of RFC 4515."""
    values: list[str] = []

    def value(found: re.Match[str]) -> str:
        raw = re.sub(
            rb"\\([0-9a-fA-F]{2})", lambda each: bytes.fromhex(each[1].decode()), found[1].encode()
        )
        values.append(raw.decode())
        return "="

    # A value ends before a parenthesis; a star in it would be a pattern's.
    return re.sub(r"=((?:[^()*\\\0]|\\[0-9a-fA-F]{2})*)", value, filter), values


class LDAPEscapingTests(SynchronousTestCase):
    """Whatever is asked for is a value and never a part of a filter."""

    def setUp(self) -> None:
        server = Server.get()
        self.search = Search(
            f"ldap://127.0.0.1:{server.port}",
            "dc=example,dc=com",
            {"login": "uid", "name": "cn"},
            filter="(objectClass=person)",
        )
        self.connection = LDAPServer(self.search, DEFAULTS)
        self.addCleanup(self.connection.close)

    @given(st.text() | st.text("()*\\&|!=\0~<>: a", max_size=10))
    def test_shape(self, login: str) -> None:
        """Of whatever characters it is made, a login is one value in one filter."""
        login = login.encode(errors="replace").decode()
        filter, values = shape(self.search.of(login))
        self.assertEqual(filter, "(&(objectClass=)(uid=))")
        self.assertEqual(values, ["person", login])

    @given(st.text("()*\\&|!=~<>:;#moshezr漢é", min_size=1, max_size=10).filter(isLogin))
    def test_server(self, login: str) -> None:
        """The server finds nobody by what is nobody's login, and makes no complaint."""
        found = self.connection.user(login)
        self.assertEqual(found and found.login, login if login == "moshez" else None)

    def test_found(self) -> None:
        """And whoever is there is found over that connection."""
        self.assertEqual(self.connection.user("moshez"), User("moshez", name=MOSHEZ.name))
