"""
Doors by name, as in C{--door NAME:ENDPOINT}.

A door of the daemon's own is a room in L{fingerd.doors} with a function C{listener}, and a line in
the table below. Others come as plugins: see L{fingerd.model.plugins.IDoor}.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import cast

from twisted.plugin import getPlugins

from fingerd.doors.net.balancers import Balancers
from fingerd.model.interfaces import IListener, IMeasured
from fingerd.model.limits import Limits
from fingerd.model.plugins import IDoor
from fingerd.service import FingerService

# Only what is asked for is imported: not every site has every door.
_MODULES = {
    "finger": "fingerd.doors.finger.finger_door",
    "web": "fingerd.doors.web.web_door",
    "setter": "fingerd.doors.setter.setter_door",
    "ssh": "fingerd.doors.ssh.ssh_door",
    "metrics": "fingerd.doors.metrics.metrics_door",
}
# Those that need more than a plain installation has, and the extra by which it is installed.
_EXTRAS = {"metrics": "metrics", "ssh": "ssh"}


def listenerOf(
    name: str,
    endpoint: str,
    service: FingerService | IMeasured,
    reactor: object,
    limits: Limits,
    balancers: Balancers | None = None,
    **chosen: object,
) -> IListener:
    """
    The door called C{name}, at C{endpoint}. To be called before the daemon gives up its privileges:
    the code of a door may be out of reach afterwards.

    @param balancers: which load balancers say where clients are, if any do.
    @param chosen: what else the administrator has chosen for a door of the daemon's own.
    @raise ValueError: when there is no such door or no such endpoint, with the reason in words.
    """
    if name in _MODULES:
        listener: IListener = _module(name).listener(
            service, endpoint, reactor, limits, balancers, **chosen
        )
        return listener
    plugins = {plugin.name: plugin for plugin in getPlugins(IDoor)}
    if name in plugins:
        if balancers is not None:
            raise ValueError(f"the door {name} doesn't know the PROXY protocol (--proxy-from)")
        listener = plugins[name].listener(cast(FingerService, service), endpoint, reactor, limits)
        return listener
    known = ", ".join([*_MODULES, *sorted(plugins)])
    raise ValueError(f"there is no door called {name!r}; there are {known}")


def _module(name: str) -> ModuleType:
    try:
        return import_module(_MODULES[name])
    except ImportError:
        if name not in _EXTRAS:
            raise
        raise ValueError(f"it needs an extra: pip install 'fingerd[{_EXTRAS[name]}]'") from None
