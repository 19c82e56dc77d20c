"""What the parent of workers is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import IService

from fingerd.daemon.options import Options
from fingerd.daemon.upkeep import Where
from fingerd.daemon.workers.announcing import Announcing
from fingerd.daemon.workers.measuring import Measuring
from fingerd.daemon.workers.prepared import Prepared
from fingerd.daemon.workers.spawning import Spawner
from fingerd.daemon.workers.workers import Workers
from fingerd.doors.net.shared_ports import KeptPorts
from fingerd.model.interfaces import IListener
from fingerd.model.limits import Limits
from fingerd.system.shared_table import SharedTable


def partsOf(
    options: Options,
    reactor: Any,
    ports: KeptPorts,
    kept: Sequence[object],
    doors: list[IListener],
    where: tuple[list[Where], list[Where], list[Where]],
    measuring: Measuring,
) -> list[IService]:
    """
    The services of a parent.

    @param kept: the store and the log of queries, which it makes ready for its workers.
    @param where: where doors are: those where users are asked for, where something is set, and
        where the daemon is measured.
    """
    limits: Limits = options["limits"]
    announcing = Announcing(reactor, *where, options["log-format"], limits)
    number = options["workers"]
    # One that ends, and the one that takes its place, are there at the same time.
    table = SharedTable(number + 1, limits.peersCounted)
    spawner = Spawner(reactor, ports, table, number, options["given"], options.parent or {})
    workers = Workers(reactor, ports, spawner, doors, announcing, measuring, limits)
    return [Prepared(*kept), workers]
