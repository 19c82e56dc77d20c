"""
Every option of ``twistd finger``: one row each, from which everything else is made.

The command line takes an option by its name, and so does the configuration file, in the table of
its group or before all tables. ``--help`` and ``etc/fingerd.toml.example`` are made of these rows;
the table in ``docs/options.md`` is compared with them by a test.
"""

from __future__ import annotations

from collections.abc import Mapping

from fingerd.daemon.option import Option, login, oneOf, only
from fingerd.model.fields import parseFields
from fingerd.model.limits import DEFAULTS, changed
from fingerd.model.numbers import noneOrMore, seconds, wholeNumber
from fingerd.text.replacing import parseReplacements

_form = oneOf("text", "json")
_fields = only(parseFields)

OPTIONS: tuple[Option, ...] = (
    Option(
        "listen",
        "doors",
        "where to take queries, as tcp:79:interface=192.0.2.1",
        "ENDPOINT",
        unsaid="port 79 for root, else 7979, of all addresses, IPv4 and IPv6",
        example=["tcp:79"],
        repeated=True,
    ),
    Option(
        "web",
        "doors",
        "where to show pages, feeds and WebFinger over HTTP, as tcp:8079:interface=127.0.0.1",
        "ENDPOINT",
        unsaid="none",
        example=["tcp:8079:interface=127.0.0.1"],
        repeated=True,
    ),
    Option(
        "web-url",
        "doors",
        "the web door's address, as https://example.com",
        "URL",
        unsaid="what each client calls it",
        example="https://example.com",
    ),
    Option(
        "web-history",
        "doors",
        "statuses in a user's feed; 0: what shows now",
        "N",
        default=20,
        read=noneOrMore,
    ),
    Option(
        "metrics",
        "doors",
        "where to say over HTTP what the daemon does, for Prometheus, and whether it is ready, as "
        "tcp:9079:interface=127.0.0.1",
        "ENDPOINT",
        unsaid="none",
        example=["tcp:9079:interface=127.0.0.1"],
        repeated=True,
    ),
    Option(
        "setter",
        "doors",
        "where to take statuses",
        "ENDPOINT",
        unsaid="tcp:1079:interface=127.0.0.1",
        example=["tcp:1079:interface=127.0.0.1"],
        repeated=True,
    ),
    Option(
        "no-setter",
        "doors",
        "let nobody set a status over the network",
        against=("setter", "ssh"),
    ),
    Option(
        "ssh",
        "doors",
        "where users with a key set something by SSH, as tcp:2279",
        "ENDPOINT",
        unsaid="none",
        example=["tcp:2279"],
        repeated=True,
    ),
    Option(
        "ssh-keys",
        "doors",
        "the directory of users' keys: files LOGIN, as authorized_keys",
        "DIR",
        unsaid="none",
        example="/etc/fingerd/ssh-keys",
    ),
    Option(
        "ssh-host-key",
        "doors",
        "the file with the host key by which SSH clients know this daemon",
        "FILE",
        unsaid="one that is made in the state directory",
        example="/etc/fingerd/ssh_host_ed25519_key",
    ),
    Option(
        "door",
        "doors",
        "another door, of a plugin's",
        "NAME:ENDPOINT",
        unsaid="none",
        example=["gopher:tcp:70"],
        repeated=True,
    ),
    Option(
        "proxy-from",
        "doors",
        "a network, as 192.0.2.0/24, or unix, from which a load balancer says by the PROXY "
        "protocol where a client is",
        "NETWORK",
        unsaid="none",
        example=["192.0.2.0/24"],
        repeated=True,
    ),
    Option(
        "directory",
        "directories",
        "where users are: file:FILE, toml:FILE, passwd:, exec:PROGRAM, finger://HOST, "
        "postgresql://HOST/DATABASE, sqlite:FILE, ldap://HOST/BASE or none:, or a plugin's; the "
        "first that knows a user answers",
        "URL",
        unsaid="file:/etc/users; where there is no such file, the example of the daemon's",
        example=["file:/etc/users"],
        repeated=True,
    ),
    Option(
        "users",
        "directories",
        "a users file: short for --directory file:FILE",
        "FILE",
        example="/etc/users",
        short=("directory", "file:{}"),
    ),
    Option(
        "reload",
        "directories",
        "seconds between two looks at whether the directories' files have changed",
        "SECONDS",
        default=30.0,
        read=seconds,
    ),
    Option(
        "forward",
        "directories",
        "a host that queries may be forwarded to, as example.com or *.example.com",
        "HOST",
        unsaid="none",
        example=["*.example.com"],
        repeated=True,
    ),
    Option(
        "list-fields",
        "views",
        "what the list shows",
        "FIELDS",
        unsaid="login,name,status",
        example="login,name,status",
        read=_fields,
    ),
    Option(
        "user-fields",
        "views",
        "what is shown of one user",
        "FIELDS",
        unsaid="all but home-phone,public-key",
        example="login,name,status,office,office-phone,project,plan",
        read=_fields,
    ),
    Option(
        "verbose-fields",
        "views",
        "what /W shows",
        "FIELDS",
        unsaid="all but home-phone; --user-fields, where that is given",
        example="login,name,status,office,office-phone,project,plan,public-key",
        read=_fields,
    ),
    Option("no-list", "views", "refuse to list the users"),
    Option("no-plan", "views", "show nobody's plan, whatever the fields say"),
    Option("match", "views", "find users by their full names too"),
    Option("history-queries", "views", "tell what users have set before, if they allow it"),
    Option(
        "mask",
        "views",
        "a user who, from outside, doesn't exist",
        "LOGIN",
        unsaid="none",
        example=["moshez"],
        read=login,
        repeated=True,
    ),
    Option(
        "replace",
        "views",
        "a text to be replaced in every answer",
        "OLD=NEW",
        unsaid="none",
        example=["Microsoft=It which cannot be named"],
        read=only(lambda text: parseReplacements([text])),
        repeated=True,
    ),
    Option(
        "set-policy",
        "statuses",
        "who may set a status: owner (a user their own, root and the daemon's user anyone's) or "
        "anyone (who can reach the setter)",
        "WHO",
        default="owner",
        read=oneOf("owner", "anyone"),
    ),
    Option("create", "statuses", "let a status make a user whom no directory knows"),
    Option(
        "state",
        "statuses",
        "where statuses are kept: a directory, or postgresql://HOST/DATABASE",
        "DIR",
        unsaid="/var/lib/fingerd for root, else ~/.local/state/fingerd; with --no-setter none",
        example="/var/lib/fingerd",
    ),
    Option(
        "history",
        "statuses",
        "statuses that are kept of each user: short for --limit statusHistory=N",
        "N",
        example=DEFAULTS.statusHistory,
        read=wholeNumber,
        short=("limit", "statusHistory={}"),
    ),
    Option(
        "query-log",
        "logs",
        "where queries are logged, a line each: a file, - for the daemon's log, or none",
        "FILE",
        default="none",
    ),
    Option(
        "query-log-format",
        "logs",
        "how such a line is written: json or text",
        "FORM",
        default="json",
        read=_form,
    ),
    Option(
        "log-peers",
        "logs",
        "what it tells of clients: their full addresses, masked ones (/24, /48), or none",
        "HOW",
        default="full",
        read=oneOf("full", "masked", "none"),
    ),
    Option(
        "log-format",
        "logs",
        "how the daemon's own log is written: text or json",
        "FORM",
        default="text",
        read=_form,
    ),
    Option(
        "limit",
        "limits",
        "another value of one of the limits, as peerQueries=1000; docs/limits.md has their names",
        "NAME=VALUE",
        read=only(lambda text: changed(DEFAULTS, [text])),
        repeated=True,
        pairs=True,
    ),
    Option("workers", "daemon", "the processes that answer", "N", default=1, read=wholeNumber),
    Option(
        "config",
        "daemon",
        "a TOML file with any of these options; those of the command line win",
        "FILE",
        unsaid="none",
        inFile=False,
    ),
    Option(
        "check",
        "daemon",
        "say what the daemon would do, and end: fingerd-check, with these options",
        inFile=False,
    ),
    Option(
        "user",
        "daemon",
        "the user to become, when started by root",
        "NAME",
        unsaid="fingerd, else nobody",
        example="fingerd",
    ),
)

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}
