"""The options of ``twistd finger``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.copyright import version as twistedVersion
from twisted.python import usage

from fingerd import __version__
from fingerd.daemon.config_file import readConfig
from fingerd.daemon.defaults import fingerPorts, usersFile
from fingerd.daemon.help_text import helpText
from fingerd.daemon.option import Option
from fingerd.daemon.option_table import BY_NAME, OPTIONS
from fingerd.daemon.starting import checkFiles
from fingerd.daemon.stores import schemeOf
from fingerd.model.errors import CannotStart
from fingerd.model.fields import parseViews
from fingerd.model.limits import DEFAULTS, changed
from fingerd.model.masking import Mask
from fingerd.model.policy import SetPolicy
from fingerd.model.rules import Rules
from fingerd.system import privileges
from fingerd.system.pid_file import takeAwayStale
from fingerd.system.state_directory import defaultStateDirectory
from fingerd.text.replacing import parseReplacements

_EXAMPLES = """\
Examples:
  twistd -n finger --users /etc/users
  twistd -n finger --config /etc/fingerd/fingerd.toml --no-list"""


class Options(usage.Options):
    """What ``twistd finger`` can be told: the rows of L{OPTIONS}."""

    longdesc = (
        "Answers finger queries (RFC 1288). Started by root, it opens its ports and then becomes "
        "the user fingerd, or nobody where there is no fingerd; twistd's own --uid and --gid win."
    )
    # What the command is called, and what it takes.
    command = "twistd finger"
    synopsis = "twistd [twistd's options] finger [options]"
    examples = _EXAMPLES
    table: Sequence[Option] = OPTIONS

    def __init__(self) -> None:
        super().__init__()
        # What was said of each option.
        self._values: dict[str, list[object]] = {}
        # By option and value, what whoever gave it calls the option, and the text that they gave
        # where that is another one.
        self._told: dict[tuple[str, object], tuple[str, str | None]] = {}

    def __str__(self) -> str:
        return helpText(self.synopsis, self.longdesc, self.table, self.examples)

    def opt_version(self) -> None:
        """Say which version this is."""
        print(f"fingerd {__version__}, Twisted {twistedVersion}")
        raise SystemExit(0)

    def told(self, option: str, value: str, shown: str | None = None) -> str:
        """
        An option with a value as whoever gave it wrote it: C{--listen 79}, or C{FILE: listen 79}.

        @param shown: what to show of C{value}, if that isn't all of it.
        """
        named, text = self._told.get((option, value), (f"--{option}", None))
        return f"{named} {text or shown or value}"

    def give(self, option: Option, text: str, named: str, written: str | None = None) -> None:
        """
        Take an option that is given.

        @param text: its value, or the empty text where it has none.
        @param named: what whoever gave it calls it.
        @param written: what they wrote, where another option is short for this one.
        @raise usage.UsageError: for a value that stands for nothing.
        """
        try:
            value = option.read(text)
        except ValueError as error:
            raise usage.UsageError(f"{named} {text}: {error}") from None
        if option.short is not None:
            other, form = option.short
            self.give(BY_NAME[other], form.format(text), named, text)
            return
        self._values.setdefault(option.name, []).append(value if option.value else True)
        self._told[option.name, value] = named, written

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
            raise CannotStart(f"{self.command}: {error}") from None

    def parseArgs(self, *arguments: str) -> None:
        """@raise usage.UsageError: for an argument that is no option."""
        if arguments:
            raise usage.UsageError(f"what is {arguments[0]!r}? All it takes is options")

    def postOptions(self) -> None:
        """Work out what wasn't said, and what follows from what was."""
        if config := self._values.get("config"):
            self._takeOver(str(config[-1]))
        for option in self.table:
            said = self._values.get(option.name, [])
            if option.repeated:
                self[option.name] = said
            else:
                self[option.name] = said[-1] if said else option.default
            for other in option.against if said else ():
                if self._values.get(other):
                    raise usage.UsageError(f"--{other} and --{option.name} exclude each other")
        self._workOut()
        if self["check"]:
            from fingerd.daemon.check import checked  # noqa: PLC0415

            raise SystemExit(checked(self))

    def _takeOver(self, path: str) -> None:
        """Give what a configuration file says and the command line doesn't."""
        mine = {name: list(values) for name, values in self._values.items()}
        try:
            found = readConfig(path)
        except ValueError as error:
            raise usage.UsageError(f"--config {path}: {error}") from None
        for option, texts in found:
            target = option if option.short is None else BY_NAME[option.short[0]]
            if any(name in mine and not BY_NAME[name].pairs for name in _excluding(target)):
                continue
            for text in texts:
                self.give(option, text, f"{path}: {option.name}")
        for name, values in mine.items():
            if name in BY_NAME and BY_NAME[name].pairs:
                # What is said last counts.
                self._values[name] += values

    def _workOut(self) -> None:
        if self["ssh-keys"] is not None and not self["ssh"]:
            raise usage.UsageError("--ssh-keys without --ssh: nobody could use them")
        if self["ssh-host-key"] is not None and not self["ssh"]:
            raise usage.UsageError("--ssh-host-key without --ssh: there would be no such door")
        if not self["listen"]:
            self["listen"] = fingerPorts()
        if not self["setter"] and not self["no-setter"]:
            self["setter"] = ["tcp:1079:interface=127.0.0.1"]
        if not self["directory"]:
            self["directory"] = [f"file:{usersFile()}"]
        if self["state"] is None and not self["no-setter"]:
            self["state"] = defaultStateDirectory()
        if self["ssh"] and self["ssh-host-key"] is None and schemeOf(self["state"]) is not None:
            raise usage.UsageError(
                "--ssh keeps its host key in the state directory, and --state names none: say "
                "--ssh-host-key FILE"
            )
        self["limits"] = changed(DEFAULTS, self["limit"])
        self["rules"] = self._rules()
        self._identities()
        if self.parent and self.parent.get("pidfile"):
            takeAwayStale(self.parent["pidfile"], self["owner"])
        checkFiles(self.parent or {})

    def _rules(self) -> Rules:
        views = parseViews(self["list-fields"], self["user-fields"], self["verbose-fields"])
        try:
            replacements = parseReplacements(self["replace"])
        except ValueError as error:
            raise usage.UsageError(f"--replace: {error}") from None
        return Rules(
            views=views.withoutPlan() if self["no-plan"] else views,
            replacements=replacements,
            mask=Mask(self["mask"]),
            listed=not self["no-list"],
            matched=bool(self["match"]),
            past=bool(self["history-queries"]),
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


def take(options: Sequence[Option], by: type[Options]) -> None:
    """Let a class take these options: Twisted looks for a method of each."""
    for option in options:
        setattr(by, f"opt_{option.name.replace('-', '_')}", _method(option))


def _method(option: Option) -> Callable[..., None]:
    def takeValue(self: Options, text: str) -> None:
        self.give(option, text, f"--{option.name}")

    def takeFlag(self: Options) -> None:
        self.give(option, "", f"--{option.name}")

    method = takeValue if option.value else takeFlag
    method.__doc__ = option.help
    return method


take(OPTIONS, Options)


def _excluding(option: Option) -> set[str]:
    """The options of which each, on the command line, is said instead of this one in a file."""
    return {option.name, *option.against} | {
        other.name for other in OPTIONS if option.name in other.against
    }
