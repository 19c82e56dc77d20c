"""A daemon with workers, and what becomes of its processes."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.support.daemon import PATIENCE, Daemon

TCP = "tcp:0:interface=127.0.0.1"


class WorkersDaemon(Daemon):
    """A daemon with workers, at a port of its own."""

    def __init__(
        self,
        *options: str,
        workers: int = 2,
        asRoot: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        setter = () if any(map(_saysSetter, options)) else ("--no-setter",)
        super().__init__(
            *("-n", "--pidfile=", "finger", f"--listen={TCP}", f"--workers={workers}"),
            *(*setter, *options),
            asRoot=asRoot,
            environment=environment,
            fresh=True,
        )

    def workers(self) -> list[int]:
        """The pids of its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]


def _saysSetter(option: str) -> bool:
    return option.startswith(("--setter", "--no-setter"))


class Watched:
    """Processes that may be other processes' children, and whether they are over."""

    def __init__(self, *pids: int) -> None:
        self._descriptors = [os.pidfd_open(pid) for pid in pids]

    def kill(self) -> None:
        """End them at once."""
        for descriptor in self._descriptors:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)

    def over(self) -> bool:
        """Wait until they are over, and say whether they are."""
        over = True
        for descriptor in self._descriptors:
            over = bool(select.select([descriptor], [], [], PATIENCE)[0]) and over
            os.close(descriptor)
        self._descriptors = []
        return over


def status(pid: int, name: str) -> list[str]:
    """A line of a process's status: see proc(5)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1:]
    raise AssertionError(f"no {name} of {pid}")
