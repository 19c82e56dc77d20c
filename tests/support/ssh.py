"""A daemon with an ssh port, people's keys, and ssh(1) as they run it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.support.daemon import PATIENCE, Daemon, needs

_SSH = re.compile(r"ssh on 127\.0\.0\.1:(\d+), host key (SHA256:\S+)")


@dataclass(frozen=True)
class Said:
    """What a client wrote, and what it ended with."""

    status: int
    out: str
    error: str


def makeKey(folder: Path, name: str, *options: str) -> str:
    """Make a key of that name, of ssh-keygen's, and give its public half's line."""
    needs("ssh", "ssh-keygen")
    path = folder / name
    command = ["ssh-keygen", "-q", "-N", "", "-C", name, "-f", str(path), *options]
    if not {"-t"} & set(options):
        command += ["-t", "ed25519"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    return Path(f"{path}.pub").read_text("utf-8").strip()


class SSHDaemon(Daemon):
    """
    A daemon with an ssh port. In its C{home} are keys that clients have, and C{keys}, the directory
    in which the daemon looks for those of each user.
    """

    def __init__(self, home: Path, *options: str, asRoot: bool = False, users: str = "") -> None:
        """
        @param users: what C{--directory} says, if not the example.
        """
        self.home = home
        self.keys = home / "keys"
        self.keys.mkdir(exist_ok=True)
        people = home / "users"
        people.write_text("moshez:Happy and well\nradix:Writing\n", "utf-8")
        super().__init__(
            "-n",
            "--pidfile=",
            "finger",
            "--listen=tcp:0:interface=127.0.0.1",
            "--setter=tcp:0:interface=127.0.0.1",
            "--ssh=tcp:0:interface=127.0.0.1",
            f"--ssh-keys={self.keys}",
            f"--directory={users or f'file:{people}'}",
            *options,
            asRoot=asRoot,
        )

    def __enter__(self) -> SSHDaemon:
        super().__enter__()
        found = self.says(_SSH)
        self.sshPort = int(found[1])
        self.fingerprint = found[2]
        return self

    def options(self, *keys: str) -> list[str]:
        """What ssh, scp and sftp are told, so that nothing of this machine's user counts."""
        known = self.home / f"known-{self.sshPort}"
        told = [
            "StrictHostKeyChecking=accept-new",
            f"UserKnownHostsFile={known}",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            f"Port={self.sshPort}",
        ]
        named = [word for option in told for word in ("-o", option)]
        return ["-F", "none", *named, *(word for key in keys for word in ("-i", self.key(key)))]

    def key(self, name: str) -> str:
        """Where a key is."""
        return str(self.home / name)

    def ssh(
        self,
        command: str,
        *options: str,
        key: str = "moshez.key",
        login: str = "moshez",
        stdin: bytes | IO[bytes] = b"",
    ) -> Said:
        """Run C{ssh} with one command."""
        words = ["ssh", *self.options(key), *options, f"{login}@127.0.0.1"]
        return say([*words, command] if command else words, stdin)

    def status(self, login: str = "moshez") -> str:
        """What everyone is told of a user."""
        return self.ask(login.encode() + b"\r\n").decode().strip()


def say(command: list[str], stdin: bytes | IO[bytes] = b"") -> Said:
    """Run a client."""
    given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "SSH_AUTH_SOCK": ""}
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        command, capture_output=True, timeout=PATIENCE, check=False, env=environment, **given
    )
    quiet = re.sub(r"Warning: Permanently added .*\n", "", done.stderr.decode())
    return Said(done.returncode, done.stdout.decode(), quiet.replace("\r\n", "\n"))
