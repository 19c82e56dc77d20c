"""
The example of a configuration file: C{python -m fingerd.daemon.example > etc/fingerd.toml.example}
makes it anew, when an option or a limit has changed.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator

from fingerd.daemon.option import GROUPS, Option
from fingerd.daemon.option_table import OPTIONS
from fingerd.model.limits import DEFAULTS

_HEAD = """\
# The configuration of fingerd. Copy it to /etc/fingerd/fingerd.toml, change what is to be changed,
# and start the daemon with --config /etc/fingerd/fingerd.toml. What is commented out is the default
# or, where its text says something else, an example. docs/config.md says more.
"""


def exampleText() -> str:
    """The whole example."""
    return "\n".join([_HEAD, *_lines()])


def _lines() -> Iterator[str]:
    for group, heading in GROUPS.items():
        yield f"# {heading}"
        yield f"[{group}]"
        yield ""
        if group == "limits":
            yield "# docs/limits.md says what they are: bytes, seconds, or how many of something."
            for field in dataclasses.fields(DEFAULTS):
                yield f"#{field.name} = {getattr(DEFAULTS, field.name)}"
            yield ""
            continue
        for option in OPTIONS:
            if option.group == group and option.inFile:
                yield from textwrap.wrap(
                    f"# {option.help[0].upper()}{option.help[1:]}", 99, subsequent_indent="# "
                )
                yield f"#{option.name} = {_value(option)}"
                yield ""


def _value(option: Option) -> str:
    if not option.value:
        return "false"
    value = option.default if option.default is not None else option.example
    # Of texts, lists and numbers, JSON is TOML too.
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    print(exampleText(), end="")
