"""
Man pages: the text of each is in release/man, in mdoc(7), and its options are the program's own.

No generator of man pages knows the options of C{twistd finger}, which are Twisted's, and mdoc is
what C{mandoc -T lint} checks: so the texts are written in mdoc, and only lists are put into them.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from pathlib import Path

from fingerd.model.fields import Field
from release.programs import described, options, programs

_SOURCES = Path(__file__).parent / "man"


def pages() -> dict[str, str]:
    """The pages' files, by their names in the checkout."""
    lists = {f"options of {name}": _list(program) for name, program in programs().items()}
    lists["options of fingerd"] = _described()
    lists["fields"] = "\n".join(f".Cm {_escaped(field.word)} ," for field in Field)
    return {
        f"docs/man/{source.name}": re.sub(
            r"^@(.+)@$", lambda line: lists[line[1]], source.read_text(), flags=re.M
        )
        for source in sorted(_SOURCES.iterdir())
    }


def _list(program: argparse.ArgumentParser) -> str:
    """The options as argparse would explain them."""
    lines = [".Bl -tag -width Ds"]
    for action in options(program):
        value = "" if action.nargs == 0 else f" Ar {action.metavar or action.dest}"
        names = [f"Fl {_escaped(name[1:])}{value}" for name in action.option_strings]
        lines += [".It " + " , ".join(names), *_text((action.help or "") % vars(action))]
    return "\n".join([*lines, ".El"])


def _described() -> str:
    """The options of the daemon as docs/options.md explains them."""
    lines = [".Bl -tag -width Ds"]
    for name, value, text, default in described():
        words = " | ".join(
            f"Ar {word}" if word.isupper() else f"Cm {word}" for word in value.split("|") if word
        )
        lines += [f".It Fl \\-{_escaped(name)} {words}".rstrip(), *_text(text)]
        if default:
            lines += _text(f"Default: {default}.")
    return "\n".join([*lines, ".El"])


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
