"""Real daemons, in processes of their own, and the real clients that ask them."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from unittest import SkipTest

from tests.support.forking import Talking, readAtStart

ROOT = Path(__file__).parent.parent.parent
TWISTD = str(Path(sys.executable).parent / "twistd")
IS_ROOT = os.geteuid() == 0
NOBODY = 65534

# Long enough for a busy machine; nothing waits for it to pass unless something is broken.
PATIENCE = 400

# Only reading and searching: enough to run an interpreter and a checkout that may lie in root's
# home, and none of what makes root root for a daemon (ports, users, writing).
AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
)

_START_LINE = re.compile(
    r"finger on (?P<finger>.+?); setter (?:on (?P<setter>.+?)|off); (?P<users>.+?); "
    r"try: (?P<try>.+)"
)


def needs(*programs: str) -> None:
    """
    Skip a test on a machine without these programs. Where CI is set, they are installed, and
    to miss one is a failure.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if missing and os.environ.get("CI"):
        raise AssertionError(f"not installed: {', '.join(missing)}")
    if missing:
        raise SkipTest(f"needs {', '.join(missing)}: see .ci/run for their packages")


def needsRoot() -> None:
    """Skip a test that only root can run."""
    if not IS_ROOT:
        raise SkipTest("needs root: ports below 1024 and the change of user are tested")


@contextmanager
def turnAt(folder: str) -> Iterator[None]:
    """
    Wait until no other test of this machine, of whatever checkout, is at this.

    @param folder: of the system's, that stands for what only one can be at.
    """
    turn = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)


class Daemon:
    """A daemon that runs, from its start line on, until the block ends."""

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (TWISTD,),
        cwd: str | Path = "/",
        asRoot: bool = False,
        passing: Sequence[int] = (),
        fresh: bool = False,
    ) -> None:
        """
        @param arguments: what comes after ``command``.
        @param environment: what it has beside that of the tests.
        @param passing: descriptors that it is to inherit.
        @param asRoot: start it as root, where the tests are run by root.
        @param fresh: start it in an interpreter of its own, where it is the start that is tested.
            So is one that is anything but a lesser user's twistd; all others are forked from one
            that has imported what they need.
        """
        prefix = AS_NOBODY if IS_ROOT and not asRoot else ()
        # Never the statuses of this machine's own daemon.
        self._folder = tempfile.TemporaryDirectory()
        os.chmod(self._folder.name, 0o1777)
        state = f"{self._folder.name}/state"
        if "finger" in arguments and not any(map(_saysState, arguments)):
            arguments += (f"--state={state}",)
        self.log: list[str] = []
        self._said = threading.Condition()
        whole = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "FINGER_STATE": state,
            **(environment or {}),
        }
        fresh = fresh or asRoot or bool(passing) or [*command] != [TWISTD]
        self._process = (
            subprocess.Popen(
                [*prefix, *command, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=cwd,
                env=whole,
                text=True,
                errors="backslashreplace",
                pass_fds=passing,
            )
            if fresh or any(map(readAtStart, environment or ()))
            else Talking([*command, *arguments], whole, cwd, prefix)
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        try:
            start = self.says(_START_LINE)
        except BaseException:
            self.__exit__()
            raise
        self.startLine = start.group()
        self.users = start["users"]
        self.example = start["try"]
        port = start["finger"].split(", ")[0].rpartition(":")[2]
        # A UNIX socket has none.
        self.port = int(port) if port.isdigit() else 0
        setter = (start["setter"] or "").rpartition(":")[2]
        self.setterPort = int(setter) if setter.isdigit() else 0
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._folder.cleanup()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._said:
                self.log.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self.log.append("")
            self._ended = True
            self._said.notify_all()

    _ended = False

    def says(self, pattern: re.Pattern[str] | str) -> re.Match[str]:
        """Wait for a line of the log with this in it."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(filter(None, (re.search(pattern, line) for line in self.log)))
            return bool(found) or self._ended

        with self._said:
            self._said.wait_for(look, PATIENCE)
        if not found:
            raise AssertionError(f"{pattern!r} is not in the log:\n" + "\n".join(self.log))
        return found[0]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait until it ends, and give its exit status."""
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def ask(self, query: bytes, halfClose: bool = True) -> bytes:
        """Ask it over a socket, and give all it answers."""
        return exchange(self.port, query, halfClose)

    def set(self, login: str, status: str) -> bytes:
        """Set a status, and give what it says to that."""
        return exchange(self.setterPort, f"{login}\n{status}\n".encode(), halfClose=False)


def _saysState(argument: str) -> bool:
    return argument.startswith(("--state", "--no-setter"))


def exchange(port: int, request: bytes, halfClose: bool = True) -> bytes:
    """Send this to a port of this machine, and give all that comes back."""
    with socket.create_connection(("localhost", port), PATIENCE) as connection:
        connection.sendall(request)
        if halfClose:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer


def run(*command: str, stdin: bytes = b"", check: bool = True) -> bytes:
    """Run a client, and give what it prints."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr!r}")
    return done.stdout
