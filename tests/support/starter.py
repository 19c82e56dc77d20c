"""
An interpreter that has imported what twistd and the programs beside it need, and forks itself for
each that is to be started: to import is most of what a start costs. See L{tests.support.forking},
which runs this as a script.

What is forked from it is a process of its own, and runs all of its program's script. No reactor is
there yet, no signal is held back, and no descriptor is open but the standard ones.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
from contextlib import suppress
from importlib import import_module
from runpy import run_path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

# Those of the programs, and of a usual daemon. What only some daemons need, they import themselves.
_IMPORTED = (
    "fingerd.commands.fingerset",
    "fingerd.daemon.check",
    "fingerd.daemon.tap",
    "fingerd.directories.users_file",
    "fingerd.doors.finger.finger_door",
    "fingerd.doors.setter.setter_door",
    "fingerd.stores.sqlite",
    "twisted.internet.epollreactor",
    "twisted.scripts._twistd_unix",
    "twisted.scripts.twistd",
)


class Starter:
    """Forks on demand, and tells how each of those that it has forked has ended."""

    def __init__(self, requests: socket.socket) -> None:
        """
        @param requests: one packet for each start. With it come the program's three standard
            descriptors and a socket, on which its pid is said, and its exit status when it has
            ended.
        """
        self._requests = requests
        self._running: dict[int, tuple[int, socket.socket]] = {}

    def serve(self) -> dict[str, Any] | None:
        """
        Fork until nobody is there to ask for more.

        @return: in a process that was forked, what was asked for; in this one, C{None}.
        """
        while True:
            poll = select.poll()
            for descriptor in (self._requests.fileno(), *self._running):
                poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll():
                if descriptor in self._running:
                    self._ended(descriptor)
                    continue
                packet, descriptors, *_ = socket.recv_fds(self._requests, 1 << 20, 4)
                if not packet:
                    return None
                if self._forked(descriptors):
                    request: dict[str, Any] = json.loads(packet)
                    return request

    def _forked(self, descriptors: list[int]) -> bool:
        *standard, told = descriptors
        pid = os.fork()
        if not pid:
            for number, descriptor in enumerate(standard):
                os.dup2(descriptor, number)
        for descriptor in standard:
            os.close(descriptor)
        if pid:
            tells = socket.socket(fileno=told)
            tells.send(str(pid).encode())
            self._running[os.pidfd_open(pid)] = pid, tells
            return False
        os.close(told)
        self._requests.close()
        for pidfd, (_, tells) in self._running.items():
            os.close(pidfd)
            tells.close()
        return True

    def _ended(self, pidfd: int) -> None:
        pid, tells = self._running.pop(pidfd)
        os.close(pidfd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        # Nobody may be left who wants to know.
        with suppress(BrokenPipeError):
            tells.send(str(status).encode())
        tells.close()


def main() -> None:
    """Import, and fork; in what was forked, run the program."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    for module in _IMPORTED:
        import_module(module)
    for _ in getPlugins(IServiceMaker):
        pass
    assert "twisted.internet.reactor" not in sys.modules, "each daemon chooses its own reactor"
    # None of this is garbage: a collection would only copy the pages that all of them share.
    gc.freeze()

    request = Starter(requests).serve()
    if request is None:
        return
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    program = sys.argv[0]
    # As an interpreter has it that is given the script.
    sys.path.insert(0, os.path.dirname(program))
    run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
