"""What ``--help`` says: the options in their groups, laid out for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from fingerd.daemon.option import CHECK_GROUPS, GROUPS, Option
from fingerd.model.fields import FIELD_WORDS

_COLUMNS = 79
# Where the text of an option begins.
_TEXT = 24


def helpText(usage: str, about: str, options: Iterable[Option], examples: str) -> str:
    """
    The help of a command.

    @param usage: how the command is written.
    @param about: what it does.
    @param options: what it takes.
    @param examples: some lines to be shown as they are.
    """
    parts = [f"Usage: {usage}", textwrap.fill(about, _COLUMNS)]
    grouped: dict[str, list[Option]] = {}
    for option in options:
        grouped.setdefault(option.group, []).append(option)
    for group, heading in {**CHECK_GROUPS, **GROUPS}.items():
        if group in grouped:
            parts.append("\n".join([f"{heading}:", *_lines(grouped[group])]))
    parts.append(textwrap.fill(f"FIELDS are, with commas: {', '.join(FIELD_WORDS)}.", _COLUMNS))
    parts.append(examples)
    return "\n\n".join(parts)


def _lines(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        head = f"  --{option.name} {option.value}".rstrip()
        beside = len(head) + 2 <= _TEXT
        if not beside:
            yield head
        yield textwrap.fill(
            option.help,
            _COLUMNS,
            initial_indent=head.ljust(_TEXT) if beside else " " * _TEXT,
            subsequent_indent=" " * _TEXT,
            break_on_hyphens=False,
        )
