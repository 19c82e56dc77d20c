"""The options of C{fingerd-check}."""

from __future__ import annotations

import os
from ipaddress import ip_address

from twisted.python import usage

from fingerd.daemon.explain_way import asked
from fingerd.daemon.option import Option, only
from fingerd.daemon.option_table import OPTIONS
from fingerd.daemon.options import Options, take

DEFAULT_CONFIG = "/etc/fingerd/fingerd.toml"
# Where C{--explain} can ask.
DOORS = ("finger", "web")

# What fingerd-check takes besides; its --door also takes the door to ask at.
CHECK_OPTIONS: tuple[Option, ...] = (
    Option(
        "explain",
        "explain",
        "ask for this user as a client would, and say why the answer is what it is; --door finger "
        "or --door web says where [default: finger]; of alice@HOST it says whether the query would "
        "be forwarded",
        "LOGIN",
        read=only(asked),
        inFile=False,
    ),
    Option(
        "from",
        "explain",
        "the IP address of the client",
        "ADDRESS",
        unsaid="127.0.0.1",
        read=only(ip_address),
        inFile=False,
    ),
    Option("verbose", "explain", "ask for all there is to tell (/W)", inFile=False),
)


class CheckOptions(Options):
    """What C{fingerd-check} can be told: all that the daemon can, and whom to explain."""

    longdesc = (
        "Says what a finger daemon with these options would do, and opens nothing. It ends with 0 "
        "where all is well, with 1 where the daemon couldn't start, and with 2 where something is "
        f"to be looked at. Without --config it reads {DEFAULT_CONFIG}, where there is one."
    )
    command = "fingerd-check"
    synopsis = "fingerd-check [options]"
    examples = """\
Examples:
  fingerd-check --config /etc/fingerd/fingerd.toml
  fingerd-check --explain moshez --from 192.0.2.7 --verbose"""
    table = (*OPTIONS, *CHECK_OPTIONS)

    def postOptions(self) -> None:
        """Work out what wasn't said."""
        if "config" not in self._values and os.path.exists(DEFAULT_CONFIG):
            self._values["config"] = [DEFAULT_CONFIG]
        doors = self._values.get("door", [])
        at = [door for door in doors if door in DOORS]
        self._values["door"] = [door for door in doors if door not in DOORS]
        if not self._values["door"]:
            del self._values["door"]
        super().postOptions()
        self["at"] = at[-1] if at else DOORS[0]
        if self["explain"] is None and (self["from"] or self["verbose"] or at):
            raise usage.UsageError("--from, --verbose and --door finger or web go with --explain")


take(CHECK_OPTIONS, CheckOptions)
