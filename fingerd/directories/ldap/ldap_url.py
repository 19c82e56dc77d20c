"""
LDAP servers by URL: C{ldap://HOST/BASE}.

Where C{?query=FILE} follows, the file says in TOML how to ask. Every key can be left out:

    filter = "(objectClass=inetOrgPerson)"
    bind = "cn=fingerd,ou=services,dc=example,dc=com"
    password = "..."
    start_tls = true
    ca_file = "/etc/fingerd/ca.pem"

    [attributes]
    name = "displayName"
    hidden = "fingerHidden"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from urllib.parse import unquote

from ldap.dn import is_dn
from twisted.internet.interfaces import IReactorFromThreads

from fingerd.directories.connected.answers import fieldOf
from fingerd.directories.connected.connected_directory import ConnectedDirectory
from fingerd.directories.connected.query_file import QueryFile, withoutQuery
from fingerd.directories.ldap.ldap_server import LDAPServer, Search
from fingerd.model.limits import DEFAULTS, Limits

_KEYS = ("filter", "bind", "password", "start_tls", "ca_file", "attributes")
_URL = re.compile(
    r"//(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?/(?P<base>[^?]*)"
)
# RFC 4512 1.4, with options.
_ATTRIBUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)(?:;[A-Za-z0-9-]+)*")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

# inetOrgPerson (RFC 2798) has all but the last.
_ATTRIBUTES = {
    "login": "uid",
    "name": "cn",
    "office": "roomNumber",
    "officePhone": "telephoneNumber",
    "homePhone": "homePhone",
    "plan": "description",
    "publicKey": "sshPublicKey",
}


def fromURL(
    rest: str, reactor: IReactorFromThreads, limits: Limits = DEFAULTS
) -> ConnectedDirectory:
    """
    The directory that C{ldap://HOST/BASE}, C{ldap://HOST:PORT/BASE} or either with
    C{?query=FILE} names.

    @param rest: the URL without C{ldap:}.
    @param reactor: one that can be called from threads.
    @raise ValueError: when it names none, in words.
    """
    return serverOf("ldap", rest, reactor, limits)


def serverOf(
    scheme: str, rest: str, reactor: IReactorFromThreads, limits: Limits
) -> ConnectedDirectory:
    """As C{fromURL}, with C{scheme} before the colon."""
    rest, path = withoutQuery(rest)
    parts = _URL.fullmatch(rest)
    if parts is None:
        raise ValueError(f"it is written {scheme}://HOST/BASE, or with ?query=FILE behind that")
    base = unquote(parts["base"])
    if not base or not is_dn(base):
        raise ValueError(f"{base!r} is not the name of an entry, such as dc=example,dc=com")
    port = f":{parts['port']}" if parts["port"] else ""
    search = Search(f"{scheme}://{parts['host']}{port}", base, _ATTRIBUTES)
    if path is not None:
        search = _asToldBy(QueryFile(path, _KEYS), search, parts["host"].lower() in _LOOPBACK)
    return ConnectedDirectory(
        f"{search.uri}/{base}", partial(LDAPServer, search, limits), reactor, limits
    )


def _asToldBy(file: QueryFile, search: Search, isHere: bool) -> Search:
    """
    ``search`` as the administrator's file wants it.

    @param isHere: whether the server is on this machine.
    """
    secure = search.uri.startswith("ldaps:")
    told = Search(
        search.uri,
        search.base,
        _attributes(file),
        filter=file.text("filter").strip(),
        bind=file.text("bind"),
        password=file.text("password"),
        startTLS=file.flag("start_tls"),
        caFile=file.text("ca_file"),
    )
    if told.filter and not told.filter.startswith("("):
        raise ValueError(f"{file.path}: filter stands in parentheses, as in (objectClass=person)")
    if bool(told.bind) != bool(told.password):
        raise ValueError(f"{file.path}: bind and password go together")
    if told.startTLS and secure:
        raise ValueError(f"{file.path}: start_tls is for ldap:, and this is ldaps:")
    if told.password and file.isForOthers():
        raise ValueError(f"{file.path}: every user of this machine can read the password in it")
    if told.password and not (secure or told.startTLS or isHere):
        raise ValueError(f"{file.path}: the password needs ldaps: or start_tls = true")
    return told


def _attributes(file: QueryFile) -> Mapping[str, str]:
    attributes = dict(_ATTRIBUTES)
    for word, attribute in file.texts("attributes").items():
        try:
            field = fieldOf(word)
        except ValueError as error:
            raise ValueError(f"{file.path}: {error}") from None
        if attribute and not _ATTRIBUTE.fullmatch(attribute):
            raise ValueError(f"{file.path}: {attribute!r} is not what an attribute can be called")
        attributes[field] = attribute
    if not attributes["login"]:
        raise ValueError(f"{file.path}: login needs an attribute")
    return {field: attribute for field, attribute in attributes.items() if attribute}
