"""The daemon by the tac and by the plugin, with users of the test."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import ROOT, TWISTD, Daemon

TAC = str(ROOT / "finger.tac")
HAPPY = b"Happy and well\r\n"
# Ports of the system's choice.
FREE = {"FINGER_PORT": "0", "FINGER_SETTER_PORT": "0"}


class WithUsers(SynchronousTestCase):
    """
    A test with a users file that the lesser user can read.

    @cvar fresh: whether its daemons are started in interpreters of their own: see L{Daemon}.
    """

    fresh = False

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # For the state directories of daemons that are not root's.
        self.folder.chmod(0o1777)
        self.users = self.folder / "users"
        self.users.write_text("moshez:Happy and well\nradix:Writing\n  a web server\n")
        self.environment = {
            **FREE,
            "FINGER_USERS": str(self.users),
            "FINGER_STATE": f"{self.folder}/state",
        }

    def tac(self, asRoot: bool = False, inside: Sequence[str] = (), **environment: str) -> Daemon:
        """The tac on free ports, with these users; ``inside`` is put before its command."""
        return Daemon(
            "-noy",
            TAC,
            "--pidfile=",
            environment={**self.environment, **environment},
            command=[*inside, TWISTD],
            asRoot=asRoot,
            fresh=self.fresh,
        )

    def plugin(self, *arguments: str, asRoot: bool = False, inside: Sequence[str] = ()) -> Daemon:
        """The plugin on free ports, with these users; ``inside`` is put before its command."""
        return Daemon(
            "-n",
            "--pidfile=",
            "finger",
            "--listen=tcp:0:interface=127.0.0.1",
            f"--users={self.users}",
            f"--state={self.folder}/state",
            *arguments,
            command=[*inside, TWISTD],
            asRoot=asRoot,
            fresh=self.fresh,
        )


def identity(daemon: Daemon) -> dict[str, list[int]]:
    """The users and groups that the kernel says a daemon has."""
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: list(map(int, fields[name].split())) for name in ("Uid", "Gid", "Groups")}
