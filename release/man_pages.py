"""
Man pages: the text of each is in release/man, in mdoc(7), and its options are the program's own.

No generator of man pages knows the options of C{twistd finger}, which are Twisted's, and mdoc is
what C{mandoc -T lint} checks: so the texts are written in mdoc, and only lists are put into them.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from fingerd.daemon.check_options import CHECK_OPTIONS
from fingerd.daemon.option import GROUPS
from fingerd.daemon.option_table import OPTIONS
from fingerd.model.fields import Field
from release.programs import PAGE, described, options, programs

LIMITS = PAGE.parent / "limits.md"
_SOURCES = Path(__file__).parent / "man"


def pages() -> dict[str, str]:
    """The pages' files, by their names in the checkout."""
    lists = {f"options of {name}": _list(program) for name, program in programs().items()}
    lists["options of fingerd"] = _described()
    lists["options of fingerd-check"] = _items(
        [
            (f"Fl \\-{option.name} Ar {option.value}".removesuffix(" Ar "), _text(option.help))
            for option in CHECK_OPTIONS
        ]
    )
    lists["fields"] = "\n".join(f".Cm {_escaped(field.word)} ," for field in Field)
    lists["keys"] = "\n".join(_keys())
    return {
        f"docs/man/man{source.suffix[1:]}/{source.name}": re.sub(
            r"^@(.+)@$", lambda line: lists[line[1]], source.read_text(), flags=re.M
        )
        for source in sorted(_SOURCES.iterdir())
    }


def _items(items: Iterable[tuple[str, list[str]]]) -> str:
    """A list of what is explained, each with its explanation."""
    lines = [line for head, texts in items for line in (f".It {head}", *texts)]
    return "\n".join([".Bl -tag -width Ds", *lines, ".El"])


def _keys() -> Iterator[str]:
    """The tables of a configuration file and their keys, as docs/options.md explains them."""
    explained = {name: (text, default) for name, _, text, default in described()}
    for group, heading in GROUPS.items():
        yield f".Ss The table {group}"
        yield from _text(heading)
        if group == "limits":
            yield _items([(f"Cm {name}", _text(text)) for name, text in _limits()])
            continue
        items = []
        for option in OPTIONS:
            if option.group == group and option.inFile:
                text, default = explained[option.name]
                more = _text(f"Default: {default}") if default else []
                items.append((f"Cm {_escaped(option.name)}", [*_text(text), *more]))
        yield _items(items)


def _limits() -> Iterator[tuple[str, str]]:
    """From docs/limits.md: the name of each limit, and what it says."""
    for line in LIMITS.read_text().splitlines():
        if row := re.match(r"\| (.+) \| `(\w+)` \| (.+) \|$", line):
            yield row[2], f"{row[1]}; default: {row[3]}"


def _list(program: argparse.ArgumentParser) -> str:
    """The options as argparse would explain them."""
    items = []
    for action in options(program):
        value = "" if action.nargs == 0 else f" Ar {action.metavar or action.dest}"
        names = [f"Fl {_escaped(name[1:])}{value}" for name in action.option_strings]
        items.append((" , ".join(names), _text((action.help or "") % vars(action))))
    return _items(items)


def _described() -> str:
    """The options of the daemon as docs/options.md explains them."""
    items = []
    for name, value, text, default in described():
        words = " | ".join(
            f"Ar {word}" if word.isupper() else f"Cm {word}" for word in value.split("|") if word
        )
        more = _text(f"Default: {default}") if default else []
        items.append((f"Fl \\-{_escaped(name)} {words}".rstrip(), [*_text(text), *more]))
    return _items(items)


def _text(markdown: str) -> list[str]:
    """A sentence of a page as lines of mdoc: what is code is in bold, and links are their texts."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", markdown.replace("\\|", "|"))
    text = text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
    parts = re.split(r"`([^`]+)`", text)
    escaped = "".join(
        f"\\fB{_escaped(part)}\\fP" if number % 2 else _escaped(part)
        for number, part in enumerate(parts)
    )
    lines = textwrap.wrap(escaped, 79, break_long_words=False, break_on_hyphens=False)
    # Nor may a line look like a request to roff.
    return ["\\&" + line if line.startswith((".", "'")) else line for line in lines]


def _escaped(text: str) -> str:
    """A text in which nothing inside a line means anything to roff."""
    return text.replace("\\", "\\e").replace("-", "\\-")
