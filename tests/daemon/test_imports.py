"""What a start imports: what the options need, and all of it before the daemon is made."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tests.support.ports import temporaryFolder

# What some option needs and not every daemon does.
STATUSES = {"sqlite3", "twisted.enterprise.adbapi", "fingerd.stores.sqlite"}
SETTER = {
    "fingerd.doors.setter.setter_protocol",
}
SSH = {"twisted.conch", "fingerd.doors.ssh.ssh_door", "fingerd.directories.key_files"}
FORWARDING = {"fingerd.remote.forwarding", "fingerd.remote.hosts", "fingerd.remote.client"}
USERS_FILE = {"fingerd.directories.users_file"}
TOML = {"fingerd.directories.toml_file"}
PASSWD = {"fingerd.directories.accounts.passwd", "fingerd.directories.accounts.home_files"}
PROGRAM = {"fingerd.directories.program"}
UPSTREAM = {"fingerd.directories.server", "fingerd.remote.hosts", "fingerd.remote.client"}
CONNECTED = {"fingerd.directories.connected.connected_directory"}
SQLITE = {"sqlite3", "fingerd.directories.sql.sqlite_users", *CONNECTED}
POSTGRESQL = {"psycopg", "fingerd.directories.sql.postgresql_users", *CONNECTED}
METRICS = {"prometheus_client", "fingerd.doors.metrics.metrics_door"}
LDAP = {"ldap", "fingerd.directories.ldap.ldap_server", *CONNECTED}
ALL = (
    STATUSES
    | SETTER
    | SSH
    | FORWARDING
    | USERS_FILE
    | TOML
    | PASSWD
    | PROGRAM
    | UPSTREAM
    | METRICS
    | SQLITE
    | POSTGRESQL
    | LDAP
)
# What no daemon needs.
NEVER = {"twisted.web", "twisted.mail", "twisted.names"}

_PROGRAM = """
import sys
from fingerd.daemon.tap import Options, makeService
options = Options()
options.parseOptions(sys.argv[1:])
makeService(options)
print("\\n".join(sys.modules))
"""


def imported(*arguments: str) -> set[str]:
    """The modules that are there when a daemon with these options has been made."""
    command = [sys.executable, "-c", _PROGRAM, "--listen=tcp:0", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


class ChosenTests(SynchronousTestCase):
    """What is chosen is imported while the daemon is made, and nothing else is."""

    def check(self, expected: set[str], *arguments: str) -> None:
        modules = imported(*arguments)
        self.assertEqual(modules & ALL, expected)
        self.assertEqual(modules & NEVER, set())

    def test_nothing(self) -> None:
        """A daemon that knows nobody and where nothing can be set needs none of it."""
        self.check(set(), "--no-setter", "--directory=none:")

    def test_directories(self) -> None:
        """Each kind of directory needs its own modules."""
        folder = temporaryFolder(self)
        (folder / "people").touch()
        query = folder / "query.toml"
        query.write_text("user = '$1'\nlist = '$1'")
        for url, expected in (
            ("file:/dev/null", USERS_FILE),
            ("toml:/dev/null", TOML),
            ("passwd:", PASSWD),
            ("exec:/bin/true", PROGRAM),
            ("finger://localhost", UPSTREAM),
            (f"sqlite:{folder}/people?query={query}", SQLITE),
            (f"postgresql:///people?query={query}", POSTGRESQL),
            ("ldap://localhost/dc=example", LDAP),
            ("ldaps://localhost/dc=example", LDAP),
        ):
            self.check(expected, "--no-setter", f"--directory={url}")

    def test_statuses(self) -> None:
        """A setter needs what tells who is asking, and a state directory needs SQLite."""
        with tempfile.TemporaryDirectory() as folder:
            state = f"--state={folder}/state"
            self.check(STATUSES, "--directory=none:", "--no-setter", state)
            self.check(STATUSES | SETTER, "--directory=none:", "--setter=tcp:0", state)

    def test_ssh(self) -> None:
        """Keys need conch, and all of it is there before root is given up."""
        with tempfile.TemporaryDirectory() as folder:
            told = (f"--state={folder}/state", "--ssh=tcp:0", f"--ssh-keys={folder}")
            self.check(STATUSES | SETTER | SSH, "--directory=none:", "--setter=tcp:0", *told)

    def test_metrics(self) -> None:
        """Metrics need the client of Prometheus, and HTTP."""
        modules = imported("--no-setter", "--directory=none:", "--metrics=tcp:0")
        self.assertEqual(modules & ALL, METRICS)
        self.assertNotIn("twisted.web.template", modules)

    def test_forwarding(self) -> None:
        """To forward is to be a client."""
        self.check(FORWARDING, "--no-setter", "--directory=none:", "--forward=example.com")
