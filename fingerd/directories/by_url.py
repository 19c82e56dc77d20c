"""
Directories by URL, as in ``file:/etc/users`` or ``finger://internal.example.com``.

A kind of directory of the daemon's own is a module in this folder with a function C{fromURL}, and
a line in the table below. Others come as plugins: see L{fingerd.model.plugins.IDirectoryScheme}.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from twisted.plugin import getPlugins

from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.plugins import IDirectoryScheme

__all__ = ["fromURL"]

# Only what is asked for is imported: not every site has every kind.
_MODULES = {
    "file": "fingerd.directories.users_file",
    "toml": "fingerd.directories.toml_file",
    "passwd": "fingerd.directories.accounts.passwd",
    "exec": "fingerd.directories.program",
    "finger": "fingerd.directories.server",
    "postgresql": "fingerd.directories.sql.postgresql_users",
    "sqlite": "fingerd.directories.sql.sqlite_users",
    "ldap": "fingerd.directories.ldap.ldap_url",
    "ldaps": "fingerd.directories.ldap.ldaps_url",
    "none": "fingerd.directories.given",
}
# Those that need more than a plain installation has, and the extra by which it is installed.
_EXTRAS = {"postgresql": "postgresql", "ldap": "ldap", "ldaps": "ldap"}


def fromURL(url: str, reactor: object, limits: Limits = DEFAULTS) -> IDirectory:
    """
    The directory that ``url`` names. To be called before the daemon gives up its privileges:
    the code of a directory may be out of reach afterwards.

    @raise ValueError: when it names none, with the reason in words.
    """
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise ValueError(f"it needs a kind before a colon, such as file:{url}")
    if scheme in _MODULES:
        directory: IDirectory = _module(scheme).fromURL(rest, reactor, limits)
        return directory
    plugins = {plugin.scheme: plugin for plugin in getPlugins(IDirectoryScheme)}
    if scheme in plugins:
        directory = plugins[scheme].directory(rest, reactor, limits)
        return directory
    known = ", ".join([*_MODULES, *sorted(plugins)])
    raise ValueError(f"there is no kind of directory called {scheme!r}; there are {known}")


def _module(scheme: str) -> ModuleType:
    try:
        return import_module(_MODULES[scheme])
    except ImportError:
        if scheme not in _EXTRAS:
            raise
        raise ValueError(f"it needs an extra: pip install 'fingerd[{_EXTRAS[scheme]}]'") from None
