"""Real daemons over databases, and clients that ask them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon.sources import UNKNOWN, asked, over
from tests.directories.people import HIDDEN, SHOWN
from tests.directories.servers import PostgreSQLServer, Slapd
from tests.directories.test_ldap import MAPPING, everybody
from tests.directories.test_postgresql import QUERIES, TABLE
from tests.directories.test_sqlite import QUERIES as SQLITE_QUERIES
from tests.directories.test_sqlite import made
from tests.support.daemon import IS_ROOT, NOBODY, TWISTD, Daemon
from tests.support.ports import temporaryFolder


class DatabasesTests(SynchronousTestCase):
    """What clients see."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)
        self.folder.chmod(0o755)

    def write(self, name: str, text: str) -> Path:
        """A file that the daemon can read."""
        file = self.folder / name
        file.write_text(text)
        return file

    def check(self, daemon: Daemon) -> None:
        """Whoever is shown is shown, and whoever is hidden is as unknown as nobody."""
        full = daemon.ask(b"moshez\n")
        self.assertIn("Moshe Zadka", full.decode())
        self.assertIn("Several lines\r\nare welcome here", full.decode())
        self.assertIn("José 漢字 ☕", daemon.ask("josé\n".encode()).decode())
        for unknown in (HIDDEN, "nobody", "moshez'", "*"):
            self.assertEqual(daemon.ask(f"{unknown}\n".encode()), UNKNOWN)
        listed = daemon.ask(b"\n").decode()
        self.assertIn("User 49", listed)
        self.assertNotIn(HIDDEN, listed)
        self.assertNotIn("Traceback", "\n".join(daemon.log))

    def test_sqlite(self) -> None:
        """A daemon answers out of a file."""
        query = self.write("queries.toml", SQLITE_QUERIES)
        with over(f"sqlite:{made(self.folder, SHOWN, HIDDEN)}?query={query}") as daemon:
            self.check(daemon)

    def test_ldap(self) -> None:
        """A daemon answers out of an LDAP server, and says in words when that is gone."""
        server = Slapd(everybody())
        self.addCleanup(server.remove)
        with over(server.url(self.write("query.toml", MAPPING))) as daemon:
            self.check(daemon)
            server.stop()
            self.assertIn(b"Internal error in server", daemon.ask(b"u1\n"))
            daemon.says(r"looking up 'u1': ldap://127.0.0.1:.*: Can't contact LDAP server")
            server.start()
            self.check(daemon)

    def test_password(self) -> None:
        """The password for a PostgreSQL server is in a file, and nowhere else."""
        server = PostgreSQLServer()
        self.addCleanup(server.remove)
        rows = "('moshez', 'Moshe Zadka', E'Several lines\\nare welcome here', false)"
        people = f"INSERT INTO people (login, name, plan, hidden) VALUES {rows}, "
        others = "('josé', 'José 漢字 ☕', '', false), ('u49', 'User 49', '', false)"
        hidden = f", ('{HIDDEN}', '', '', true)"
        server.run("SET password_encryption = 'scram-sha-256'", TABLE, people + others + hidden)
        (server.folder / "data/pg_hba.conf").write_text(
            "local all owner trust\nlocal all all scram-sha-256\n"
        )
        server.run("SELECT pg_reload_conf()")
        passwords = self.write("passwords", "*:*:*:finger:geheim\n")
        passwords.chmod(0o600)
        if IS_ROOT:
            passwords.parent.chmod(0o755)
            subprocess.run(["chown", str(NOBODY), str(passwords)], check=True)
        query = self.write("queries.toml", QUERIES)
        with over(server.url(query, more=f"&passfile={passwords}")) as daemon:
            self.check(daemon)
            server.stop()
            self.assertIn(b"Internal error in server", daemon.ask(b"u49\n"))
            daemon.says("looking up 'u49': postgresql://finger@/postgres: .*connection")
            server.start()
            self.check(daemon)
            self.assertNotIn("geheim", "\n".join(daemon.log))
            self.assertNotIn(b"geheim", Path(f"/proc/{daemon.pid}/cmdline").read_bytes())

    def test_refused(self) -> None:
        """A start that can't succeed ends with one line, which has no password in it."""
        file = self.write("queries.toml", QUERIES)
        for url, words in (
            (f"postgresql://me:geheim@localhost/people?query={file}", "passfile=FILE"),
            ("postgresql://localhost/people?query=/nowhere", "can't read /nowhere"),
            (f"sqlite:/nowhere?query={file}", "can't read /nowhere"),
            ("ldap://localhost", "ldap://HOST/BASE"),
        ):
            ended = subprocess.run(
                [TWISTD, *asked(f"--directory={url}")], capture_output=True, text=True, check=False
            )
            self.assertEqual(ended.returncode, 1)
            self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
            self.assertIn(words, ended.stderr)
            self.assertNotIn("geheim", ended.stderr + ended.stdout)
