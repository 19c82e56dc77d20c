"""The options of ``twistd finger``."""

from __future__ import annotations

from collections.abc import Callable

from twisted.python import usage

from fingerd.daemon.defaults import fingerPorts, usersFile
from fingerd.model.errors import CannotStart
from fingerd.model.fields import parseViews
from fingerd.model.limits import DEFAULTS, changed, noneOrMore, seconds, wholeNumber
from fingerd.model.masking import Mask
from fingerd.model.policy import SetPolicy
from fingerd.model.rules import Rules
from fingerd.model.user import isLogin
from fingerd.system import privileges
from fingerd.system.pid_file import takeAwayStale
from fingerd.system.state_directory import defaultStateDirectory
from fingerd.text.replacing import parseReplacements


def _oneOf(*words: str) -> Callable[[str], str]:
    """What reads one of C{words}."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text

    return read


_FORM = _oneOf("text", "json")

# Options that can be given more than once.
_REPEATED = (
    "listen",
    "door",
    "web",
    "metrics",
    "setter",
    "ssh",
    "directory",
    "replace",
    "mask",
    "forward",
    "proxy-from",
    "limit",
)


class Options(usage.Options):
    """What ``twistd finger`` can be told."""

    longdesc = (
        "Answers finger queries (RFC 1288). Started by root, it opens its ports and then becomes "
        "the user fingerd, or nobody where there is no fingerd; twistd's own --uid and --gid win."
    )

    optFlags = [
        ["no-list", None, "Refuse to list the users."],
        ["no-plan", None, "Show nobody's plan, whatever the fields say."],
        ["match", None, "Find users by their full names too."],
        ["no-setter", None, "Let nobody set a status over the network."],
        ["create", None, "Let a status make a user whom no directory knows."],
    ]

    optParameters = [
        ["web-url", None, None, "The web door's address. [default: what each client calls it]"],
        ["web-history", None, 20, "Statuses in a user's feed; 0: what shows now.", noneOrMore],
        ["workers", None, 1, "How many processes answer, at the same ports.", wholeNumber],
        [
            "reload",
            None,
            30.0,
            "Seconds between two looks at whether the directories' files have changed.",
            seconds,
        ],
        ["list-fields", None, None, "What the list shows. [default: login,name,status]"],
        [
            "user-fields",
            None,
            None,
            "What is shown of one user. [default: all but home-phone,public-key]",
        ],
        [
            "verbose-fields",
            None,
            None,
            "What /W shows. [default: all but home-phone; --user-fields, where that is given]",
        ],
        [
            "set-policy",
            None,
            "owner",
            "Who may set a status: owner (a user their own, root and the daemon's user anyone's) "
            "or anyone (who can reach the setter).",
        ],
        [
            "ssh-keys",
            None,
            None,
            "The directory of users' keys: files LOGIN, as authorized_keys. [default: none]",
        ],
        [
            "state",
            None,
            None,
            "Where statuses are kept: a directory, or postgresql://HOST/DATABASE. "
            "[default: /var/lib/fingerd for root, else ~/.local/state/fingerd; with --no-setter "
            "none]",
        ],
        [
            "query-log",
            None,
            "none",
            "Where queries are logged, a line each: a file, - for the daemon's log, or none.",
        ],
        ["query-log-format", None, "json", "How such a line is written: json or text.", _FORM],
        [
            "log-peers",
            None,
            "full",
            "What it tells of clients: their full addresses, masked ones (/24, /48), or none.",
            _oneOf("full", "masked", "none"),
        ],
        ["log-format", None, "text", "How the daemon's own log is written: text or json.", _FORM],
        ["user", None, None, "Whom to become, started by root. [default: fingerd, else nobody]"],
    ]

    def __init__(self) -> None:
        super().__init__()
        for option in _REPEATED:
            self[option] = []

    def opt_listen(self, description: str) -> None:
        """
        Where to take queries, as an endpoint string; can be given more than once.
        [default: port 79 for root, else 7979, of all addresses, IPv4 and IPv6]
        """
        self["listen"].append(description)

    def opt_door(self, text: str) -> None:
        """
        NAME:ENDPOINT: another door, of a plugin's; can be given more than once. [default: none]
        """
        self["door"].append(text)

    def opt_web(self, description: str) -> None:
        """
        Where to show pages, feeds and WebFinger over HTTP, as an endpoint string such as
        tcp:8079:interface=127.0.0.1; can be given more than once. [default: none]
        """
        self["web"].append(description)

    def opt_metrics(self, description: str) -> None:
        """
        Where to say over HTTP what the daemon does, for Prometheus, and whether it is ready, as an
        endpoint string such as tcp:9079:interface=127.0.0.1; can be given more than once.
        [default: none]
        """
        self["metrics"].append(description)

    def opt_setter(self, description: str) -> None:
        """
        Where to take statuses, as an endpoint string; can be given more than once.
        [default: tcp:1079:interface=127.0.0.1]
        """
        self["setter"].append(description)

    def opt_ssh(self, description: str) -> None:
        """
        Where users with a key set something by SSH, as an endpoint string such as tcp:2279; can be
        given more than once. [default: none]
        """
        self["ssh"].append(description)

    def opt_directory(self, url: str) -> None:
        """
        Where users are: file:FILE, toml:FILE, passwd:, exec:PROGRAM, finger://HOST,
        postgresql://HOST/DATABASE, sqlite:FILE, ldap://HOST/BASE or none:, or a plugin's; can be
        given more than once, and the first that knows a user answers.
        [default: file:/etc/users; where there is no such file, the example of the daemon's]
        """
        self["directory"].append(url)

    def opt_users(self, path: str) -> None:
        """A users file: short for --directory file:FILE."""
        self.opt_directory(f"file:{path}")

    def opt_replace(self, pair: str) -> None:
        """OLD=NEW: a text to be replaced in every answer; can be given more than once."""
        self["replace"].append(pair)

    def opt_mask(self, login: str) -> None:
        """A user who, from outside, doesn't exist; can be given more than once."""
        if not isLogin(login):
            raise usage.UsageError(f"--mask {login}: no user can be called that")
        self["mask"].append(login)

    def opt_forward(self, host: str) -> None:
        """
        A host that queries may be forwarded to, as example.com or *.example.com; can be given
        more than once. [default: none]
        """
        self["forward"].append(host)

    def opt_proxy_from(self, network: str) -> None:
        """
        A network, as 192.0.2.0/24, or unix, from which a load balancer says by the PROXY protocol
        where a client is; can be given more than once. [default: none]
        """
        self["proxy-from"].append(network)

    def opt_limit(self, text: str) -> None:
        """
        NAME=VALUE: another value of one of the limits; docs/limits.md has their names. Can be given
        more than once.
        """
        self["limit"].append(text)

    def opt_history(self, count: str) -> None:
        """Statuses that are kept of each user: short for --limit statusHistory=N."""
        self.opt_limit(f"statusHistory={count}")

    def parseOptions(self, options: list[str] | None = None) -> None:
        """
        Read the command line.

        @raise CannotStart: for what can't be read. twistd would answer a UsageError with pages
            of its own help before the one line that matters.
        """
        # What the workers are to be told, too.
        self["given"] = options or []
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise CannotStart(f"twistd finger: {error}") from None

    def parseArgs(self, *arguments: str) -> None:
        """@raise usage.UsageError: for an argument that is no option."""
        if arguments:
            raise usage.UsageError(f"what is {arguments[0]!r}? All it takes is options")

    def postOptions(self) -> None:
        """Work out what wasn't said, and what follows from what was."""
        for option in ("setter", "ssh"):
            if self["no-setter"] and self[option]:
                raise usage.UsageError(f"--{option} and --no-setter exclude each other")
        if self["ssh-keys"] is not None and not self["ssh"]:
            raise usage.UsageError("--ssh-keys without --ssh: nobody could use them")
        if not self["listen"]:
            self["listen"] = fingerPorts()
        if not self["setter"] and not self["no-setter"]:
            self["setter"] = ["tcp:1079:interface=127.0.0.1"]
        if not self["directory"]:
            self["directory"] = [f"file:{usersFile()}"]
        if self["state"] is None and not self["no-setter"]:
            self["state"] = defaultStateDirectory()
        try:
            self["limits"] = changed(DEFAULTS, self["limit"])
        except ValueError as error:
            raise usage.UsageError(f"--limit {error}") from None
        self["rules"] = self._rules()
        self._identities()
        if self.parent and self.parent.get("pidfile"):
            takeAwayStale(self.parent["pidfile"])

    def _rules(self) -> Rules:
        if self["set-policy"] not in ("owner", "anyone"):
            raise usage.UsageError(f"--set-policy {self['set-policy']}: it is owner or anyone")
        try:
            views = parseViews(self["list-fields"], self["user-fields"], self["verbose-fields"])
            replacements = parseReplacements(self["replace"])
        except ValueError as error:
            raise usage.UsageError(str(error)) from None
        return Rules(
            views=views.withoutPlan() if self["no-plan"] else views,
            replacements=replacements,
            mask=Mask(self["mask"]),
            listed=not self["no-list"],
            matched=bool(self["match"]),
            setting=SetPolicy(anyone=self["set-policy"] == "anyone", create=bool(self["create"])),
        )

    def _identities(self) -> None:
        """Whom the daemon is to become, and who will be the owner of what it keeps."""
        twistd: dict[str, int | None] = self.parent or {}
        uid, gid = twistd.get("uid"), twistd.get("gid")
        if uid is not None:
            # twistd has obeyed its own option by the time this daemon would change its user.
            self["identity"] = privileges.Identity(None, None)
            self["owner"] = privileges.Identity(uid, gid)
        else:
            lesser = privileges.lesserUser(self["user"])
            self["identity"] = lesser if gid is None else lesser._replace(gid=gid)
            self["owner"] = self["identity"]
