"""A daemon in a process of its own, started by its command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.forking import Talking
from tests.wire.client import PATIENCE

ROOT = Path(__file__).parent.parent.parent
TWISTD = str(Path(sys.executable).parent / "twistd")
IS_ROOT = os.geteuid() == 0

_START_LINE = re.compile(r"finger on (?P<finger>.+?); setter (?:on (?P<setter>.+?)|off); .+?; try:")
_LOOPBACK = "tcp:0:interface=127.0.0.1"
# On a busy machine nothing is to take too long, but where that is what is looked at.
_PATIENT = (
    *("connectionTime", "proxyHeaderTime", "lookupTime", "directoryListTime", "programTime"),
    *("upstreamTime", "upstreamConnectTime"),
)


class Daemon:
    """
    Runs from its start line on until it is ended.

    @ivar ports: its finger ports, and C{setterPort} its first setter port; 0 where that is a UNIX
        socket, or there is none.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], inside: Sequence[str] = ()
    ) -> None:
        """
        @param inside: what is put before the command. Without that, its process is forked from a
            C{twistd} that has imported all it needs.
        """
        whole = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._process = (
            subprocess.Popen(
                [*inside, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=whole,
                text=True,
                errors="backslashreplace",
            )
            if inside
            else Talking(command, whole)
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self.pid = self._process.pid
        said = []
        giveUp = threading.Timer(PATIENCE, self._process.kill)
        giveUp.start()
        try:
            for line in self._output:
                said.append(line)
                if start := _START_LINE.search(line):
                    break
            else:
                self.end()
                raise AssertionError("the daemon didn't start:\n" + "".join(said))
        finally:
            giveUp.cancel()
        self.ports = list(map(_port, start["finger"].split(", ")))
        self.setterPort = _port((start["setter"] or "").split(", ")[0])
        # So that it can go on to write its log.
        self._reader = threading.Thread(target=self._output.read, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """Tell it to end."""
        self._process.terminate()

    def end(self) -> None:
        """Let it end, and wait until it has."""
        self.stop()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if hasattr(self, "_reader"):
            self._reader.join(PATIENCE)
        self._output.close()


def _port(address: str) -> int:
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else 0


def byOptions(options: Sequence[str], state: str) -> list[str]:
    """The command ``twistd finger``, with ports that are free; statuses are kept in ``state``."""
    ours = {"--listen": _LOOPBACK, "--setter": _LOOPBACK, "--state": state}
    if "--no-setter" in options:
        del ours["--setter"], ours["--state"]
    given = {option.partition("=")[0] for option in options}
    more = [f"{option}={value}" for option, value in ours.items() if option not in given]
    limits = {option.split("=")[1] for option in options if option.startswith("--limit=")}
    more += [f"--limit={name}={PATIENCE}" for name in _PATIENT if name not in limits]
    if IS_ROOT:
        more.append("--user=nobody")
    return [TWISTD, "-n", "--pidfile=", "finger", *more, *options]


def byFile(path: str) -> list[str]:
    """The command that runs a .tac file."""
    return [TWISTD, "--pidfile=", "-noy", path]
