"""A PostgreSQL server of the system's, as it is set up by default, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

_NOBODY = 65534
# Only the last version that is installed is looked at.
_PLACES = "lib/postgresql/*/bin"


class Cluster:
    """A server on a UNIX socket, with one database, until the block ends."""

    def __init__(self, disk: Path) -> None:
        """
        @param disk: a folder on the disk that it is to write to.
        """
        found = sorted(Path("/usr").glob(_PLACES), key=lambda path: path.parent.stat().st_mtime)
        self._programs = found[-1] if found else Path()
        self._folder = Path(tempfile.mkdtemp(dir=disk))
        # It doesn't run as root.
        self._prefix: Sequence[str] = ()
        if os.geteuid() == 0:
            self._prefix = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
            os.chown(self._folder, _NOBODY, _NOBODY)

    def __enter__(self) -> Cluster:
        try:
            self._run("initdb", "--username=owner", "--auth=trust", "--encoding=UTF8")
            options = f"-c listen_addresses='' -k {self._folder}"
            self._run("pg_ctl", "start", "-w", "-l", str(self._folder / "log"), "-o", options)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        if (self._folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "fast")
        shutil.rmtree(self._folder)

    @property
    def url(self) -> str:
        """The database."""
        return f"postgresql://owner@/postgres?host={self._folder}"

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [*self._prefix, self._programs / program, "-D", self._folder / "data", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            cwd="/",
        )
