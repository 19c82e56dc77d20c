"""The entries of an LDAP server, for those who ask by login."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import ldap
from ldap.filter import escape_filter_chars

from fingerd.directories.connected.answers import userOf
from fingerd.directories.connected.connected_directory import Lost
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits
from fingerd.model.user import HIDDEN, User

# No login begins so: an entry that is searched for by this is never found.
_NOBODY = "/"

# What libldap says where GnuTLS fails.
_NO_WORDS = "(unknown error code)"

_Entry = Mapping[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class Search:
    """
    What is searched for, and where.

    @ivar uri: the server.
    @ivar base: the name of the entry below which users are (RFC 4514).
    @ivar attributes: what the attributes with a user's fields are called, by field.
    @ivar filter: what else an entry must match (RFC 4515), or nothing.
    @ivar bind: the name of the entry as which the daemon asks; nothing for anonymous.
    @ivar password: and its password.
    @ivar startTLS: whether to ask for TLS on a plain connection.
    @ivar caFile: the certificates that are trusted, if not the system's.
    """

    uri: str
    base: str
    attributes: Mapping[str, str]
    filter: str = ""
    bind: str = ""
    password: str = ""
    startTLS: bool = False
    caFile: str = ""

    def of(self, login: str) -> str:
        """The filter that finds ``login``, and nobody else, whatever is in it."""
        return self._also(f"({self.attributes['login']}={escape_filter_chars(login)})")

    def ofAll(self) -> str:
        """The filter that finds all users."""
        return self._also(f"({self.attributes['login']}=*)")

    def _also(self, one: str) -> str:
        return f"(&{self.filter}{one})" if self.filter else one


class LDAPServer:
    """
    A connection to a server; see L{Connection
    <fingerd.directories.connected.connected_directory.Connection>}.
    """

    def __init__(self, search: Search, limits: Limits) -> None:
        """
        @raise DirectoryError: when there is none, or it can't be asked.
        """
        self._search = search
        self._limits = limits
        self._connection = ldap.initialize(search.uri)
        try:
            with _inWords(limits):
                self._begin()
            self._entries(search.of(_NOBODY), 1)
        except BaseException:
            self.close()
            raise

    def user(self, login: str) -> User | None:
        """The user called ``login`` in just these letters: LDAP tells no case from another."""
        for entry in self._entries(self._search.of(login), 1):
            if login in self._texts(entry, "login"):
                return self._userOf(entry, login)
        return None

    def users(self, limit: int) -> list[User]:
        """At most ``limit`` users, or as many as the server gives out at once."""
        users = []
        for entry in self._entries(self._search.ofAll(), limit):
            user = self._userOf(entry, self._texts(entry, "login")[0])
            if user is not None and user is not HIDDEN:
                users.append(user)
        return users

    def close(self) -> None:
        """Close it."""
        with suppress(ldap.LDAPError):
            self._connection.unbind_ext()

    def _begin(self) -> None:
        search, connection = self._search, self._connection
        connection.timeout = self._limits.databaseTime
        for option, value in (
            (ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3),
            (ldap.OPT_NETWORK_TIMEOUT, self._limits.databaseConnectTime),
            (ldap.OPT_TIMEOUT, self._limits.databaseTime),
            # Otherwise that time doesn't count for TLS: libldap tries to read again and again.
            (ldap.OPT_CONNECT_ASYNC, ldap.OPT_ON),
            # Where else to ask is the administrator's to say, and not the server's.
            (ldap.OPT_REFERRALS, ldap.OPT_OFF),
            (ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND),
            *([(ldap.OPT_X_TLS_CACERTFILE, search.caFile)] if search.caFile else []),
            # What was set above counts from here on.
            (ldap.OPT_X_TLS_NEWCTX, 0),
        ):
            connection.set_option(option, value)
        if search.startTLS:
            connection.start_tls_s()
        connection.simple_bind_s(search.bind, search.password)

    def _entries(self, filter: str, most: int) -> list[_Entry]:
        search, patience = self._search, self._limits.databaseTime
        end = time.monotonic() + patience
        found: list[_Entry] = []
        with _inWords(self._limits):
            request = self._connection.search_ext(
                search.base,
                ldap.SCOPE_SUBTREE,
                filter,
                sorted(set(search.attributes.values())),
                timeout=math.ceil(patience),
                sizelimit=most,
            )
            with suppress(ldap.SIZELIMIT_EXCEEDED):
                kind = None
                while kind != ldap.RES_SEARCH_RESULT:
                    left = max(end - time.monotonic(), 0.001)
                    kind, data, *_ = self._connection.result3(request, 0, left)
                    # A referral has no name.
                    found += (attributes for name, attributes in data if name is not None)
        return found[:most]

    def _texts(self, entry: _Entry, field: str) -> list[str]:
        wanted = self._search.attributes[field].lower()
        for name, values in entry.items():
            if name.lower() == wanted:
                return [value.decode("utf-8", "replace") for value in values]
        return []

    def _userOf(self, entry: _Entry, login: str) -> User | None:
        values: dict[str, object] = {}
        for field in self._search.attributes:
            texts = self._texts(entry, field)
            values[field] = texts[0] if texts else None
        return userOf({**values, "login": login}, self._limits.answerSize)


@contextmanager
def _inWords(limits: Limits) -> Generator[None, None, None]:
    """Say in words what fails."""
    try:
        yield
    except (ldap.TIMEOUT, ldap.TIMELIMIT_EXCEEDED):
        raise DirectoryError(f"it took longer than {limits.databaseTime:g} seconds") from None
    except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.UNAVAILABLE, ldap.BUSY) as error:
        raise Lost(_words(error)) from None
    except ldap.LDAPError as error:
        raise DirectoryError(_words(error)) from None


def _words(error: ldap.LDAPError) -> str:
    said = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    words = said.get("desc") or str(error) or type(error).__name__
    info = said.get("info")
    if info == _NO_WORDS:
        info = "no TLS; is the certificate one that is trusted, and of a host called so?"
    return f"{words} ({info})" if info else words
