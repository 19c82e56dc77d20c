"""The completions, in the shells that they are for."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from release.programs import options, programs
from tests.support.daemon import PATIENCE, ROOT, needs, run

COMPLETIONS = ROOT / "etc/completions"
# What completing "--" must offer.
OPTIONS = {
    name: {option for action in options(program) for option in action.option_strings[-1:]}
    for name, program in programs().items()
}
LONG = {name: {each for each in found if each.startswith("--")} for name, found in OPTIONS.items()}


def inBash(line: str) -> set[str]:
    """What bash offers for the last word of a line."""
    name = line.split(maxsplit=1)[0]
    script = f"""
        source {COMPLETIONS}/bash/{name}
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _shtab_{name.replace("-", "_")}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return set(run("bash", "-c", script, "bash", *line.split(" ")).decode().split())


def inFish(line: str) -> set[str]:
    """What fish offers for the last word of a line."""
    needs("fish")
    name = line.split(maxsplit=1)[0]
    script = f"source {COMPLETIONS}/fish/{name}.fish; complete -C $argv"
    said = run("fish", "--no-config", "-c", script, line).decode()
    return {offer.split("\t")[0] for offer in said.splitlines()}


# What completes writes its offers into a file, and that is all that this zsh is for.
ZSH = """
    fpath=({folder} $fpath)
    autoload -U compinit
    compinit -u -D
    compadd() {{
        local -a offers
        builtin compadd -O offers "$@"
        print -rl -- $offers >>{offers}
        builtin compadd "$@"
    }}
    comppostfuncs=(exit)
    PROMPT='re''ady>'
"""


def inZsh(line: str) -> set[str]:
    """What zsh offers for the last word of a line."""
    needs("zsh")
    ours, its = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        offers = Path(folder, "offers")
        begin = Path(folder, "begin")
        begin.write_text(ZSH.format(folder=COMPLETIONS / "zsh", offers=offers))
        process = subprocess.Popen(
            ["zsh", "-f", "-i"], stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        try:
            os.write(ours, f"source {begin}\n".encode())
            # With the prompt, it reads keys.
            _seen(ours, "ready>")
            os.write(ours, f"{line}\t".encode())
            _seen(ours, None)
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        return set(offers.read_text().split("\n"))


def _seen(terminal: int, words: str | None) -> None:
    """Wait until the screen has these words; or until whoever writes on it has ended."""
    seen = ""
    while words is None or words not in seen:
        assert select.select([terminal], [], [], PATIENCE)[0], seen
        try:
            seen += os.read(terminal, 65536).decode("utf-8", "replace")
        except OSError:
            assert words is None, seen
            return


Offers = Callable[[str], set[str]]
SHELLS = pytest.mark.parametrize("offers", [inBash, inFish, inZsh], ids=["bash", "fish", "zsh"])


@SHELLS
@pytest.mark.parametrize("name", LONG)
def test_options(name: str, offers: Offers) -> None:
    """A program's options are all offered, and nothing else that looks like one."""
    offered = {each for each in offers(f"{name} --") if re.fullmatch("--[a-z-]+", each)}
    assert offered - {"--help"} == LONG[name]


@SHELLS
def test_values(offers: Offers) -> None:
    """Where there are only some values, those are offered."""
    assert {"full", "masked", "none"} <= offers("fingerd --log-peers ")


@SHELLS
def test_users(offers: Offers) -> None:
    """Where a user of this machine is wanted, the users are offered."""
    assert {"daemon", "nobody"} <= offers("fingerset --user ")
