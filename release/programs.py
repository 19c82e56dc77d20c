"""The programs, each as the parser of its command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import shtab

from fingerd.commands import fingerq, fingerset
from fingerd.daemon import state_program
from fingerd.daemon.check_options import CHECK_OPTIONS
from fingerd.daemon.option import Option

PAGE = Path(__file__).parent.parent / "docs/options.md"

# For bash, which has no function for that.
_USERS_IN_BASH = '_fingerd_users() { compgen -u -- "$1"; }'
_USERS = {
    "bash": "_fingerd_users",
    "zsh": "_users",
    "fish": "(__fish_complete_users)",
    "preamble": {"bash": _USERS_IN_BASH},
}
# What completes a value that a help text calls so.
_COMPLETED = {
    "FILE": shtab.FILE,
    "PATH": shtab.FILE,
    "DIR": shtab.DIRECTORY,
    "LOGIN": _USERS,
    "NAME": _USERS,
}


def programs() -> dict[str, argparse.ArgumentParser]:
    """The programs that are installed, by their names."""
    found = {
        "fingerd": _program("fingerd"),
        "fingerd-check": _program("fingerd-check", CHECK_OPTIONS),
        "fingerd-state": state_program.parser(),
        "fingerq": fingerq.parser(),
        "fingerset": fingerset._parser(),
    }
    for program in found.values():
        for action in options(program):
            if isinstance(action.metavar, str) and action.metavar in _COMPLETED:
                action.complete = _COMPLETED[action.metavar]  # type: ignore[attr-defined]
    return found


def options(program: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options of a program, without C{--help}."""
    return [
        action
        for action in program._actions
        if action.option_strings and "--help" not in action.option_strings
    ]


def described() -> Iterator[tuple[str, str, str, str]]:
    """From the table in docs/options.md: an option, its value, what it says, and its default."""
    for line in PAGE.read_text().splitlines():
        if row := re.match(r"\| `--([\w-]+) ?(.*?)` \| (.+?) \| (.*?) ?\|$", line):
            yield row[1], row[2].replace("\\|", "|"), row[3], row[4]


def _program(name: str, more: Sequence[Option] = ()) -> argparse.ArgumentParser:
    """A program that takes the options of C{twistd finger}, and some more, in argparse's terms."""
    program = argparse.ArgumentParser(name)
    for option, value, says, _ in sorted(described()):
        # What fits beside it in a terminal, and is no Markdown.
        text = re.sub(r"\[([^]]+)\]\([^)]+\)|`", r"\1", re.split(r"[;:] ", says)[0])
        text = text.replace("\\|", "|").replace("%", "%%")
        if value:
            words = value.split("|")
            choices = words if all(word.islower() for word in words) else None
            metavar = None if choices else words[0]
            program.add_argument(f"--{option}", help=text, choices=choices, metavar=metavar)
        else:
            program.add_argument(f"--{option}", help=text, action="store_true")
    for each in more:
        if each.value:
            program.add_argument(f"--{each.name}", help=each.says, metavar=each.value)
        else:
            program.add_argument(f"--{each.name}", help=each.says, action="store_true")
    program.add_argument("--version", action="version", help="display the version and exit")
    return program
