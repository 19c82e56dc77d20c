"""The man pages, as they are in the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from release.__main__ import files
from tests.support.daemon import PATIENCE, ROOT, needs, run

PAGES = sorted(filter(Path.is_file, (ROOT / "docs/man").rglob("*")))
PROGRAM_PAGES = [page for page in PAGES if page.suffix != ".5"]
PROGRAMS = Path(sys.executable).parent
# Pages that others bring along.
OTHERS = {"finger 1", "twistd 1"}


def test_asMade() -> None:
    """The pages and the completions are what python -m release makes of the programs now."""
    made = files()
    there = {*PAGES, *filter(Path.is_file, (ROOT / "etc/completions").rglob("*"))}
    assert there == set(made)
    assert [str(path) for path, text in made.items() if path.read_text() != text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lint(page: Path) -> None:
    """mandoc finds nothing wrong with the page."""
    needs("mandoc")
    done = subprocess.run(
        ["mandoc", "-T", "lint", page],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    found = (done.stdout + done.stderr).splitlines()
    # Of other pages it knows those that are installed.
    mine = [line for line in found if not re.search("outdated mandoc.db|manual not found", line)]
    assert mine == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_references(page: Path) -> None:
    """Every page that a page refers to is one of these, or of a program that it says it needs."""
    ours = {f"{each.stem} {each.suffix[1:]}" for each in PAGES}
    assert set(re.findall(r"^\.Xr (\S+ \d)", page.read_text(), re.M)) <= ours | OTHERS


def known(program: str) -> set[str]:
    """The options that a program says it has."""
    said = run(str(PROGRAMS / program), "--help").decode()
    found = re.findall(r"^ +(?:-\w,? )?(--[a-z][a-z-]*|-\w)", said, re.M)
    return set(found) - {"-h", "--help", "--version"}


@pytest.mark.parametrize("page", PROGRAM_PAGES, ids=lambda page: page.name)
def test_options(page: Path) -> None:
    """A program's page has the options that the program's own help has, and no others."""
    needs("mandoc")
    options = known(page.stem)
    if page.stem == "fingerd-check":
        # It has all of those too, and its page says so.
        options -= known("fingerd")
    shown = run("mandoc", "-T", "ascii", str(page)).decode()
    shown = re.sub(".\b", "", shown)
    explained = set(re.findall(r"^     (--?[a-z][a-z-]*)", shown, re.M))
    # Whoever reads them knows what they do.
    assert explained - {"--version"} == options


def test_keys() -> None:
    """The page on the configuration has each key of the example, in its table, and no others."""
    needs("mandoc")
    [page] = [page for page in PAGES if page.suffix == ".5"]
    shown = run("mandoc", "-T", "ascii", "-O", "width=200", str(page)).decode()
    explained = keys(re.sub(".\b", "", shown), r"   The table (\w+)$|     (\w[\w-]*)(?:  .*)?$")
    example = (ROOT / "etc/fingerd.toml.example").read_text()
    assert explained == keys(example, r"\[(\w+)\]$|#([\w-]+) =")


def keys(text: str, pattern: str) -> list[tuple[str, str]]:
    """The keys that a text has, each with its table, in their order."""
    found = []
    table = ""
    for line in text.splitlines():
        if match := re.match(pattern, line):
            table = match[1] or table
            found += [(table, match[2])] if match[2] else []
    return found
