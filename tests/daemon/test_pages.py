"""What the README and the pages in docs/ say, compared with the code."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fingerd.daemon.option_table import OPTIONS
from fingerd.model.fields import Field
from fingerd.model.limits import DEFAULTS
from tests.attacks.__main__ import attacks
from tests.attacks.floods import FLOODS
from tests.support.daemon import ROOT
from tests.test_rooms import ARROWS

PAGES = sorted(
    page
    for page in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "tests").rglob("*.md"),
    )
    if page.is_file()
)


def rows(page: str) -> Iterator[list[str]]:
    """The cells of each line of the tables of a page."""
    for line in (ROOT / page).read_text().splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def options(page: str) -> dict[str, list[str]]:
    """What a page's table says of each option."""
    found = {}
    for cells in rows(page):
        if option := re.match(r"`--([\w-]+)", cells[0]):
            found[option[1]] = cells
    return found


def test_limits() -> None:
    """Every limit is in its table, with its default."""
    said = {
        cells[1].strip("`"): float(cells[2].partition(" ")[0])
        for cells in rows("docs/limits.md")
        if cells[1].startswith("`")
    }
    assert said == {
        field.name: float(getattr(DEFAULTS, field.name)) for field in dataclasses.fields(DEFAULTS)
    }


def test_options() -> None:
    """Every option is in its table, which says of each whether it can be given more than once."""
    said = options("docs/options.md")
    assert sorted(said) == sorted(option.name for option in OPTIONS)
    repeated = [name for name, cells in said.items() if "can be given more than once" in cells[1]]
    assert sorted(repeated) == sorted(option.name for option in OPTIONS if option.repeated)


def test_defaults() -> None:
    """An option whose default the program knows by itself has the same in the table."""
    said = options("docs/options.md")
    known = {each.name: each.defaultText for each in OPTIONS if each.default is not None}
    assert {name: said[name][2].strip("`") for name in known} == known


def test_fewerOptions() -> None:
    """The options that the README shows are some of those."""
    every, some = options("docs/options.md"), options("README.md")
    assert 10 <= len(some) < len(every)
    for name, cells in some.items():
        assert cells[0].removesuffix("`") in every[name][0]


def test_fields() -> None:
    """Every field that an option can name is listed."""
    text = (ROOT / "docs/options.md").read_text()
    listed = re.findall(r"`([\w-]+)`", text.partition("\nFields are ")[2].partition(";")[0])
    assert listed == [field.word for field in Field]


def test_attacks() -> None:
    """Every attack that is measured is in the table."""
    named = [cells[0] for cells in rows("docs/attacks.md") if len(cells) == 10]
    assert named == ["attack", *attacks(10_000), *FLOODS]


def test_rooms() -> None:
    """The table of the rooms says what the test of the imports does."""
    said = {
        room: set(re.findall(r"`(\w+)`", cells[1]))
        for cells in rows("docs/architecture.md")
        if len(cells) == 2
        for room in re.findall(r"`(\w+)`", cells[0])
    }
    assert said == ARROWS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    """What a page links to is there: the file, and in it the heading."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if heading:
            assert heading in headings(target), link


def headings(page: Path) -> list[str]:
    """The names of the headings of a page, as links have them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found]
