"""LDAP servers that speak TLS from the first byte, by URL: C{ldaps://HOST/BASE}."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorFromThreads

from fingerd.directories.connected.connected_directory import ConnectedDirectory
from fingerd.directories.ldap.ldap_url import serverOf
from fingerd.model.limits import DEFAULTS, Limits


def fromURL(
    rest: str, reactor: IReactorFromThreads, limits: Limits = DEFAULTS
) -> ConnectedDirectory:
    """
    The directory that C{ldaps://HOST/BASE} names, in the forms that C{ldap:} has.

    @param rest: the URL without C{ldaps:}.
    @param reactor: one that can be called from threads.
    @raise ValueError: when it names none, in words.
    """
    return serverOf("ldaps", rest, reactor, limits)
