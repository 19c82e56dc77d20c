"""Real PostgreSQL and real slapd, in folders of their own; root runs them as nobody."""

from __future__ import annotations

import base64
import glob
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fingerd.model.user import User
from tests.support.daemon import IS_ROOT, NOBODY, PATIENCE, needs, run

_AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
_PREFIX: Sequence[str] = _AS_NOBODY if IS_ROOT else ()
# No connection is given one of these by the system: a server that is stopped finds its own again.
_PORTS = range(20_000, 32_000)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    if IS_ROOT:
        os.chown(folder, NOBODY, NOBODY)
    return folder


class PostgreSQLServer:
    """A cluster with one database, on a UNIX socket. It runs until it is removed."""

    def __init__(
        self, encoding: str = "UTF8", address: str = "", within: Sequence[str] = ()
    ) -> None:
        """
        @param address: of the machine's, for others of its network, who need a password.
        @param within: what the server is run by.
        """
        programs = [*sorted(glob.glob("/usr/lib/postgresql/*/bin")), "postgresql"][0]
        needs(f"{programs}/pg_ctl", "psql")
        self._control = (*within, *_PREFIX, f"{programs}/pg_ctl")
        self._address = address
        self.folder = _folder()
        locale = "C.UTF-8" if encoding == "UTF8" else "C"
        initdb = f"{programs}/initdb"
        options = (f"--encoding={encoding}", f"--locale={locale}", "--username=owner", "--no-sync")
        data = f"--pgdata={self.folder}/data"
        run(*_PREFIX, initdb, data, *options, "--auth=trust")
        if address:
            with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet scram-sha-256\n")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it can be asked."""
        options = f"-c listen_addresses='{self._address}' -k {self.folder} -F"
        self._do("start", "-w", "-l", f"{self.folder}/log", "-o", options)

    def stop(self) -> None:
        """Stop it, with all its connections."""
        self._do("stop", "-w", "-m", "fast")

    def remove(self) -> None:
        """Stop it, and leave nothing of it."""
        self._do("stop", "-m", "immediate")
        shutil.rmtree(self.folder)

    def run(self, *statements: str) -> str:
        """What comes of these statements, by the cluster's owner."""
        asking = [word for statement in statements for word in ("-c", statement)]
        connecting = ("-h", str(self.folder), "-U", "owner", "-v", "ON_ERROR_STOP=1")
        return run("psql", "-qAtX", *connecting, "postgres", *asking).decode().strip()

    def url(self, query: Path, user: str = "finger", more: str = "") -> str:
        """The directory with these queries."""
        return f"postgresql://{user}@/postgres?host={self.folder}&query={query}{more}"

    def _do(self, *command: str) -> None:
        # What is started inherits what is open: a pipe would be waited for.
        subprocess.run(
            [*self._control, "-D", f"{self.folder}/data", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=PATIENCE,
            cwd="/",
        )


def entry(kind: str, name: str, **attributes: str) -> str:
    """An entry, as LDIF."""
    texts = {"objectClass": kind, **attributes}
    lines = [f"dn:: {encoded(name)}"]
    lines += [f"{each}:: {encoded(text)}" for each, text in texts.items() if text]
    return "\n".join([*lines, "", ""])


def encoded(text: str) -> str:
    """As LDIF has what it can't have as it is."""
    return base64.b64encode(text.encode()).decode()


def person(user: User, hidden: str = "") -> str:
    """The entry of a user."""
    return entry(
        "inetOrgPerson",
        f"uid={user.login},ou=people,dc=example,dc=com",
        uid=user.login,
        # Nobody can be without these two.
        cn=user.name or user.login,
        displayName=user.name,
        sn=user.login,
        roomNumber=user.office,
        telephoneNumber=user.officePhone,
        homePhone=user.homePhone,
        description=user.plan,
        title=user.status,
        ou=user.project,
        labeledURI=user.publicKey,
        employeeType=hidden,
    )


_SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCACertificateFile {folder}/certificate.pem
TLSCertificateFile {folder}/certificate.pem
TLSCertificateKeyFile {folder}/key.pem
database mdb
suffix "dc=example,dc=com"
directory {folder}/data
rootdn "cn=root,dc=example,dc=com"
rootpw secret
dbnosync
sizelimit {most}
"""


class Slapd:
    """
    An LDAP server on loopback, which speaks plain LDAP, StartTLS and ldaps. It runs until it is
    removed.
    """

    def __init__(self, entries: str, most: int = 1000) -> None:
        """
        @param entries: what is in it, as LDIF.
        @param most: the entries that it gives out at once.
        """
        needs("/usr/sbin/slapd", "openssl")
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = _folder()
        (self.folder / "data").mkdir()
        self.certificate = self.folder / "certificate.pem"
        made = ("-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost")
        out = ("-keyout", f"{self.folder}/key.pem", "-out", str(self.certificate))
        alternatives = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        run("openssl", "req", *made, *out, "-days", "2", "-addext", alternatives)
        configuration = self.folder / "slapd.conf"
        configuration.write_text(_SLAPD.format(folder=self.folder, most=most))
        self._configured = ("-f", str(configuration))
        if IS_ROOT:
            run("chown", "-R", str(NOBODY), str(self.folder))
        slapadd = (*_PREFIX, "/usr/sbin/slapadd", "-q", *self._configured)
        run(*slapadd, stdin=entries.encode())
        while self._process is None:
            self.port, self.tlsPort = random.sample(_PORTS, 2)
            self.start()

    def start(self) -> None:
        """Start it, and wait until it can be asked, or ends because its ports are taken."""
        here = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tlsPort}"
        process = subprocess.Popen(
            [*_PREFIX, "/usr/sbin/slapd", "-d", "0", "-h", here, *self._configured],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE
        # It has the ports for itself, writes this file, and then listens.
        while not ((self.folder / "pid").exists() and self._listens()):
            if process.poll() is not None:
                return
            if time.monotonic() > end:
                process.kill()
                raise AssertionError("slapd doesn't start")
            time.sleep(0.01)
        self._process = process

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.tlsPort)).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self) -> None:
        """Stop it, with all its connections."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(PATIENCE)

    def remove(self) -> None:
        """Stop it, and leave nothing of it."""
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, query: Path | None = None, tls: bool = False) -> str:
        """The directory with its people."""
        # To libldap, localhost is what the machine is called.
        server = f"ldaps://127.0.0.1:{self.tlsPort}" if tls else f"ldap://127.0.0.1:{self.port}"
        asking = "" if query is None else f"?query={query}"
        return f"{server}/ou=people,dc=example,dc=com{asking}"
