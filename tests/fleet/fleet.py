"""
Two daemons on machines of their own, HAProxy before them and one PostgreSQL behind them: what
etc/compose.yaml has in containers, with its addresses, its commands and its configuration.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from tests.daemon.faults import exchangeUnix, until
from tests.directories.servers import PostgreSQLServer
from tests.fleet.machines import Machines, exchange
from tests.support.daemon import PATIENCE, ROOT, TWISTD, Daemon, needs, needsRoot

_COMPOSED = yaml.safe_load((ROOT / "etc/compose.yaml").read_text())["services"]
# The machine of the database.
_DATABASE = "172.30.80.20"
_PASSWORD = "secret"


def _address(service: str) -> str:
    address: str = _COMPOSED[service]["networks"]["front"]["ipv4_address"]
    return address


PORT = 7979
HAPROXY = _address("haproxy")
# Where each daemon is asked.
DAEMONS = {name: _address(name) for name in ("one", "two")}
# A machine with many clients' addresses, for tests that need one which nobody has used yet.
CLIENTS = [f"172.30.79.{number}" for number in range(100, 120)]

_MACHINES = {
    "haproxy": {"front": [f"{HAPROXY}/24"]},
    "one": {"front": [f"{DAEMONS['one']}/24"], "back": ["172.30.80.11/24"]},
    "two": {"front": [f"{DAEMONS['two']}/24"], "back": ["172.30.80.12/24"]},
    "postgresql": {"back": [f"{_DATABASE}/24"]},
    "clients": {"front": [f"{address}/24" for address in CLIENTS]},
}
# It has /run for itself. Where its socket is there, see etc/haproxy.cfg.
_HAPROXY = 'mount -t tmpfs tmpfs /run; mkdir /run/haproxy; exec haproxy -db -f "$1"'


class Fleet:
    """It is there until the block ends."""

    def __init__(self, users: Sequence[str], *options: str) -> None:
        """
        @param users: for whom statuses can be set. They are happy.
        @param options: of the daemons, beside those that they have in a container.
        """
        needsRoot()
        needs("haproxy")
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o1777)
        (self.folder / "users").write_text("".join(f"{user}:Happy\n" for user in users))
        self.machines = Machines(_MACHINES)
        self.daemons: dict[str, Daemon] = {}
        self._options = options

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            entered.callback(shutil.rmtree, self.folder)
            entered.enter_context(self.machines)
            inside = self.machines["postgresql"].inside
            self.database = PostgreSQLServer(address=_DATABASE, within=inside)
            entered.callback(self.database.remove)
            self.database.run(
                f"CREATE ROLE fingerd LOGIN PASSWORD '{_PASSWORD}'",
                "CREATE DATABASE fingerd OWNER fingerd",
            )
            entered.callback(self._stop)
            self.start(*DAEMONS)
            self._balance(entered)
            self._left = entered.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._left.close()

    def start(self, *names: str) -> None:
        """Start these daemons, and wait until they answer."""
        started = {name: self.daemon(name) for name in names}
        self.daemons |= started
        for daemon in started.values():
            daemon.__enter__()

    def daemon(
        self, machine: str, name: str = "", port: int = PORT, within: Sequence[str] = ()
    ) -> Daemon:
        """
        A daemon at a machine.

        @param name: of its socket and log; by default they are called like the machine.
        @param within: what it is run by there.
        """
        places = {
            f":{PORT}": f":{port}",
            "/run/fingerd/set": f"{self.folder}/{name or machine}",
            "/etc/fingerd/users": f"{self.folder}/users",
            "@postgresql/": f"@{_DATABASE}/",
        }
        return Daemon(
            *_replaced(_COMPOSED[machine]["command"], places),
            f"--query-log={self.folder}/{name or machine}.log",
            "--user=nobody",
            *self._options,
            command=[*self.machines[machine].inside, *within, *_commanded(machine, "entrypoint")],
            environment={"PGPASSWORD": _PASSWORD},
            asRoot=True,
        )

    def check(self, service: str) -> None:
        """
        See whether a service finds itself in health, as its container does.

        @raise AssertionError: when it doesn't.
        """
        self.machines[service].run(*_commanded(service, "healthcheck"))

    def kill(self, name: str) -> None:
        """End a daemon in the middle of whatever it does."""
        self.daemons[name].signal(signal.SIGKILL)
        self.daemons[name].ended()
        self.stop(name)

    def stop(self, name: str) -> None:
        """Stop a daemon in the orderly way, where it runs."""
        self.daemons[name].__exit__()

    def ask(self, query: str, source: str = CLIENTS[0]) -> str:
        """What HAProxy's client at this address is answered; empty where it is cut off."""
        return self._ask((HAPROXY, PORT), query, source)

    def askAt(self, name: str, query: str, port: int = PORT) -> str:
        """What a daemon answers a client who knows its machine."""
        return self._ask((DAEMONS[name], port), query, CLIENTS[0])

    def _ask(self, server: tuple[str, int], query: str, source: str) -> str:
        request = f"{query}\r\n".encode()
        return exchange(self.machines["clients"], source, server, request).decode()

    def set(self, name: str, login: str, status: str, more: str = "") -> str:
        """
        What a daemon says whom root asks to set a status.

        @param more: what is behind the login in the first line, such as a number of lines.
        """
        return self.request(name, f"{login}{more}\n{status}\n").removesuffix("\r\n")

    def request(self, name: str, request: str) -> str:
        """What a daemon says to root's request to its setter."""
        return exchangeUnix(self.folder / name, request.encode()).decode()

    def shows(self, name: str, login: str, text: str) -> None:
        """Wait until a daemon shows this of somebody."""
        until(lambda: self.askAt(name, login) == f"{text}\r\n", f"{text!r} at {name}")

    def queries(self, name: str, login: str) -> list[dict[str, Any]]:
        """The queries for somebody, in a daemon's log of them."""
        log = self.folder / f"{name}.log"
        lines = map(json.loads, log.read_text().splitlines() if log.exists() else ())
        return [line for line in lines if line["query"] == login]

    def tell(self, command: str) -> str:
        """What HAProxy says to a command on its socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self._socket))
            connection.sendall(f"{command}\n".encode())
            return connection.makefile().read()

    def isUp(self, name: str) -> bool:
        """Whether HAProxy sends clients to a daemon."""
        return self._counted(name, "status").startswith("UP")

    def clients(self, name: str) -> int:
        """How many clients HAProxy has at a daemon."""
        return int(self._counted(name, "scur"))

    def _counted(self, name: str, column: str) -> str:
        names, *rows = [line.split(",") for line in self.tell("show stat").splitlines() if line]
        [row] = [row for row in rows if row[:2] == ["finger", name]]
        return row[names.index(column)]

    def _balance(self, entered: ExitStack) -> None:
        inside = self.machines["haproxy"].inside
        said = self.folder / "haproxy.log"
        program = ("unshare", "--mount", "sh", "-ec", _HAPROXY, "sh", ROOT / "etc/haproxy.cfg")
        with said.open("w") as log:
            process = subprocess.Popen([*inside, *program], stdout=log, stderr=log)
        entered.callback(process.wait, PATIENCE)
        entered.callback(process.kill)
        self._socket = Path(f"/proc/{process.pid}/root/run/haproxy/admin.sock")
        until(lambda: self._socket.exists() or process.poll() is not None, "HAProxy there")
        assert process.poll() is None, said.read_text()

    def _stop(self) -> None:
        for daemon in self.daemons.values():
            daemon.__exit__()


def _replaced(words: Sequence[str], places: Mapping[str, str]) -> list[str]:
    """A command with other places in it."""
    for place, ours in places.items():
        assert any(place in word for word in words), place
        words = [word.replace(place, ours) for word in words]
    return list(words)


def _commanded(service: str, what: str) -> list[str]:
    """A command of a service's, run here as it is installed here."""
    said = _COMPOSED[service][what]
    program, *arguments = said["test"][1:] if what == "healthcheck" else said
    installed = Path(TWISTD).with_name(program)
    return [str(installed) if installed.exists() else program, *arguments]
