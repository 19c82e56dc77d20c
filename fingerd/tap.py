"""``twistd finger``: from options to services."""

from __future__ import annotations

import math
import os
from typing import cast

from twisted.application.internet import TimerService
from twisted.application.service import IService
from twisted.internet import endpoints
from twisted.internet.interfaces import IProtocolFactory, IReactorFromThreads
from twisted.python import usage

from fingerd import privileges
from fingerd.addresses import everyInterface
from fingerd.directories.users_file import UsersFile
from fingerd.listening import Listener, endpoint
from fingerd.running import Daemon, ReloadOnHangup, StartLine
from fingerd.service import FingerService
from fingerd.starting import CannotStart

_HERE = os.path.dirname(os.path.abspath(__file__))
# The administrator's file, or the example: in a checkout beside the package, else in it.
_USERS_FILES = (
    "/etc/users",
    os.path.join(os.path.dirname(_HERE), "etc", "users.example"),
    os.path.join(_HERE, "users.example"),
)


def _seconds(text: str) -> float:
    """A time to wait, in seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    # Not "<= 0": that is false for NaN.
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} is not a number of seconds above 0")
    return seconds


class Options(usage.Options):
    """What ``twistd finger`` can be told."""

    longdesc = (
        "Answers finger queries (RFC 1288). Started by root, it opens its ports and then becomes "
        "the user fingerd, or nobody where there is no fingerd; twistd's own --uid and --gid win."
    )

    optFlags = [["no-setter", None, "Let nobody set a status over the network."]]

    optParameters = [
        [
            "users",
            None,
            None,
            "The users file, a user:status a line. "
            "[default: /etc/users; where there is none, the example that comes with the daemon]",
        ],
        [
            "reload",
            None,
            30.0,
            "Seconds between two looks at whether the users file has changed.",
            _seconds,
        ],
        [
            "user",
            None,
            None,
            "The user to become, when started by root. [default: fingerd, else nobody]",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["setter"] = []

    def opt_listen(self, description: str) -> None:
        """
        Where to take queries, as an endpoint string; can be given more than once.
        [default: port 79 for root, else 7979, of all addresses, IPv4 and IPv6]
        """
        self["listen"].append(description)

    def opt_setter(self, description: str) -> None:
        """
        Where to take statuses, as an endpoint string; can be given more than once.
        [default: tcp:1079:interface=127.0.0.1]
        """
        self["setter"].append(description)

    def parseOptions(self, options: list[str] | None = None) -> None:
        """
        Read the command line.

        @raise CannotStart: for what can't be read. twistd would answer a UsageError with pages
            of its own help before the one line that matters.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise CannotStart(f"twistd finger: {error}") from None

    def parseArgs(self, *arguments: str) -> None:
        if arguments:
            raise usage.UsageError(f"what is {arguments[0]!r}? All it takes is options")

    def postOptions(self) -> None:
        if self["no-setter"] and self["setter"]:
            raise usage.UsageError("--setter and --no-setter exclude each other")
        if not self["listen"]:
            port = 79 if os.geteuid() == 0 else 7979
            self["listen"] = [_anyAddress(interface, port) for interface in everyInterface()]
        if not self["setter"] and not self["no-setter"]:
            self["setter"] = ["tcp:1079:interface=127.0.0.1"]
        if self["users"] is None:
            self["users"] = next(filter(os.path.exists, _USERS_FILES))
        # twistd's own option has been obeyed by the time this daemon would become anyone.
        twistd: dict[str, int | None] = self.parent or {}
        if twistd.get("uid") is not None:
            self["identity"] = privileges.Identity(None, None)
        else:
            uid, gid = privileges.lesserUser(self["user"])
            twistdGid = twistd.get("gid")
            self["identity"] = privileges.Identity(uid, gid if twistdGid is None else twistdGid)


def makeService(options: Options) -> IService:
    """
    The daemon that the options describe.

    @raise CannotStart: when it can't be made, with the reason in words.
    """
    from twisted.internet import reactor

    daemon = Daemon(options["identity"])
    finger = FingerService(reactor, [UsersFile(options["users"], reactor)])
    finger.setServiceParent(daemon)
    fingerServers = [
        _listener("listen", description, finger.getFingerFactory())
        for description in options["listen"]
    ]
    setterServers = [
        _listener("setter", description, finger.getFingerSetterFactory())
        for description in options["setter"]
    ]
    for part in (
        *fingerServers,
        *setterServers,
        TimerService(options["reload"], finger.reload),
        ReloadOnHangup(finger.reload, cast(IReactorFromThreads, reactor)),
        StartLine(finger, fingerServers, setterServers),
    ):
        part.setServiceParent(daemon)
    return daemon


def _anyAddress(interface: str, port: int) -> str:
    if ":" in interface:
        return f"tcp6:{port}:interface={endpoints.quoteStringArgument(interface)}"
    return f"tcp:{port}:interface={interface}"


def _listener(option: str, description: str, factory: IProtocolFactory) -> Listener:
    from twisted.internet import reactor

    try:
        return Listener(description, endpoint(reactor, description), factory)
    except ValueError as error:
        raise CannotStart(f"twistd finger: --{option} {description}: {error}") from None
