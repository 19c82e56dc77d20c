"""A real pgbouncer, between daemons and their server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.daemon import AS_NOBODY, IS_ROOT, NOBODY, PATIENCE, needs

_CONFIGURATION = """\
[databases]
postgres = host={server} user=owner
[pgbouncer]
pool_mode = {mode}
auth_type = any
listen_port = 6432
unix_socket_dir = {folder}
logfile = {folder}/log
"""


class Bouncer:
    """A pgbouncer on a UNIX socket, which runs until it is removed."""

    def __init__(self, server: Path, mode: str) -> None:
        """
        @param server: the folder of the server's socket.
        @param mode: what a client has a connection to the server for: a C{session}, a
            C{transaction} or a C{statement}.
        """
        needs("pgbouncer")
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)
        configuration = self.folder / "ini"
        configuration.write_text(
            _CONFIGURATION.format(server=server, mode=mode, folder=self.folder)
        )
        if IS_ROOT:
            os.chown(self.folder, NOBODY, NOBODY)
        self._command = [*(AS_NOBODY if IS_ROOT else ()), "pgbouncer", "-q", str(configuration)]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it can be asked."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE
        while not self._listens():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.01)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            # The socket has a name before anybody listens at it.
            return client.connect_ex(f"{self.folder}/.s.PGSQL.6432") == 0

    def stop(self) -> None:
        """Stop it, with all its connections."""
        self._process.terminate()
        self._process.wait(PATIENCE)

    def remove(self) -> None:
        """Stop it, and leave nothing of it."""
        self.stop()
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        """The database behind it."""
        return f"postgresql://owner@/postgres?host={self.folder}&port=6432"
