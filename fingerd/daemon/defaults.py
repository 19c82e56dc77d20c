"""What the options are where the administrator doesn't say."""

from __future__ import annotations

import os

from twisted.internet import endpoints

from fingerd.system.addresses import everyInterface
from fingerd.system.privileges import startedByRoot

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The administrator's file, or the example: in a checkout beside the package, else in it.
_USERS_FILES = (
    "/etc/users",
    os.path.join(os.path.dirname(_PACKAGE), "etc", "users.example"),
    os.path.join(_PACKAGE, "users.example"),
)


def usersFile() -> str:
    """The file in which users are."""
    return next(filter(os.path.exists, _USERS_FILES))


def fingerPorts() -> list[str]:
    """Where queries are taken: endpoint strings for all addresses of this machine."""
    port = 79 if startedByRoot() else 7979
    return [_anyAddress(interface, port) for interface in everyInterface()]


def _anyAddress(interface: str, port: int) -> str:
    if ":" in interface:
        return f"tcp6:{port}:interface={endpoints.quoteStringArgument(interface)}"
    return f"tcp:{port}:interface={interface}"
