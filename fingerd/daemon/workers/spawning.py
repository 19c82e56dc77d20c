"""How a worker is started: its command, its environment, and the descriptors that it inherits."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IProcessProtocol, IReactorProcess

from fingerd.doors.net.shared_ports import KeptPorts
from fingerd.system.shared_table import SharedTable
from fingerd.system.worker_role import Role, environmentFor, passedBySystemd


class Spawner:
    """Starts workers."""

    def __init__(
        self,
        reactor: IReactorProcess,
        ports: KeptPorts,
        table: SharedTable,
        number: int,
        given: Sequence[str],
        twistd: Mapping[str, Any],
    ) -> None:
        """
        @param ports: whose sockets they inherit.
        @param table: what they share: it has a column for each that is there at any time.
        @param number: how many there are to be.
        @param given: the options of C{twistd finger}.
        @param twistd: those of twistd.
        """
        self._reactor = reactor
        self._ports = ports
        self.table = table
        self.number = number
        self._byRoot = os.geteuid() == 0
        self._seed = secrets.randbits(32)
        # Code is taken from where this process
        # has it from, and not from wherever it happens to be started.
        self._command = [sys.executable, "-P", "-m", "fingerd.daemon.workers.worker_process"]
        self._command += ["--nodaemon", "--pidfile=", "--logfile=-"]
        if isinstance(twistd.get("reactor"), str):
            self._command.append(f"--reactor={twistd['reactor']}")
        self._command += ["finger", *given]

    def spawn(self, protocol: IProcessProtocol, column: int) -> int:
        """
        Start a worker.

        @param column: of the table that they share, the one that is to be its own.
        @return: the descriptor of a socket that the worker has the other end of.
        @raise OSError: when the system doesn't allow it.
        """
        ours, theirs = socket.socketpair()
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            inherited: dict[int, int | str] = {0: nothing, 1: "r", 2: "r"}
            inherited.update(self._ports.passedOn(passedBySystemd(os.environ)))

            def inherit(descriptor: int) -> int:
                number = len(inherited)
                inherited[number] = descriptor
                return number

            role = Role(
                column,
                self.number,
                self.table.peers,
                self._byRoot,
                inherit(theirs.fileno()),
                inherit(self.table.descriptor),
                [
                    each._replace(descriptor=inherit(each.descriptor))
                    for each in self._ports.handed()
                ],
            )
            self._reactor.spawnProcess(
                protocol,
                sys.executable,
                self._command,
                env=environmentFor(role, os.environ, self._seed),
                childFDs=inherited,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(nothing)
            theirs.close()
        return ours.detach()
