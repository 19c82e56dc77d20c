"""
What a worker is told by the process that has spawned it: in its environment, since a process has
that from its first moment on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping, Sequence
from typing import NamedTuple

_NAME = "FINGERD_WORKER"
# systemd's (see sd_listen_fds(3)), from this descriptor on.
_FIRST = 3
_PASSED, _NAMES = "LISTEN_FDS", "LISTEN_FDNAMES"
# What only the process that systemd has started is to hear, or to say.
_PARENTS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID")


class Handed(NamedTuple):
    """
    A listening socket that is inherited: the kind of port, where it is, as the endpoint says
    that (port 0 is 0 here), and the descriptor.
    """

    kind: str
    interface: str
    port: int
    descriptor: int


class Role(NamedTuple):
    """
    What a worker has of its parent: descriptors that are open, and what the parent was.

    @ivar column: the worker's own, of what the workers share.
    @ivar of: how many workers there are.
    @ivar peers: how many peers they count.
    @ivar byRoot: whether the parent was started by root.
    @ivar channel: the descriptor of a socket to the parent.
    @ivar table: the descriptor of the memory that the workers share.
    """

    column: int
    of: int
    peers: int
    byRoot: bool
    channel: int
    table: int
    sockets: Sequence[Handed]


def roleOf(environ: Mapping[str, str] = os.environ) -> Role | None:
    """What this process is told, or None where it is nobody's worker."""
    text = environ.get(_NAME)
    if text is None:
        return None
    role = Role(**json.loads(text))
    return role._replace(sockets=[Handed(*each) for each in role.sockets])


def environmentFor(role: Role, environ: Mapping[str, str], seed: int) -> dict[str, str]:
    """
    The environment of a worker.

    @param environ: its parent's.
    @param seed: of Python's hashes: all workers have the same hash for one text.
    """
    told = {name: value for name, value in environ.items() if name not in _PARENTS}
    if passed := passedBySystemd(environ):
        told[_PASSED] = str(len(passed))
    return {**told, _NAME: json.dumps(role._asdict()), "PYTHONHASHSEED": str(seed)}


def passedBySystemd(environ: Mapping[str, str]) -> Sequence[int]:
    """The descriptors that systemd has passed to this process, which Twisted has taken."""
    names = environ.get(_NAMES)
    # Where Twisted hasn't taken them away, they were another process's.
    if not names or _PASSED in environ:
        return ()
    return range(_FIRST, _FIRST + len(names.split(":")))


def begin(environ: MutableMapping[str, str]) -> None:
    """Take what systemd has passed to the parent as passed to this process."""
    if _PASSED in environ:
        environ["LISTEN_PID"] = str(os.getpid())
