"""The man pages, as they are in the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from release.__main__ import files
from tests.support.daemon import PATIENCE, ROOT, needs, run

PAGES = sorted((ROOT / "docs/man").iterdir())
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options(page: Path) -> None:
    """A program's page has the options that the program's own help has, and no others."""
    needs("mandoc")
    said = run(str(PROGRAMS / page.stem), "--help").decode()
    known = set(re.findall(r"^ +(?:-\w,? )?(--[a-z][a-z-]*|-\w)", said, re.M)) - {"-h"}
    shown = run("mandoc", "-T", "ascii", str(page)).decode()
    shown = re.sub(".\b", "", shown)
    explained = set(re.findall(r"^     (--?[a-z][a-z-]*)", shown, re.M))
    # Whoever reads them knows what they do.
    assert explained - {"--version"} == known - {"--help", "--version"}
