"""What docs/extending.md says is public, compared with the modules and with the examples."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_rooms import PACKAGE, modules

ROOT = PACKAGE.parent
PUBLIC = {
    module: set(re.findall(r"`(\w+)`", names))
    for module, names in re.findall(
        r"^\| `([\w.]+)` \| (.+) \|$", (ROOT / "docs/extending.md").read_text(), re.M
    )
}
EXAMPLES = [
    *(ROOT / "docs/plugin").rglob("*.py"),
    ROOT / "finger.tac",
    *(ROOT / "docs").glob("*.md"),
]


def code(path: Path) -> Iterator[ast.Module]:
    """What is Python in a file: all of it, or in a page the blocks that are."""
    text = path.read_text()
    if path.suffix == ".md":
        for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
            yield ast.parse(block)
    else:
        yield ast.parse(text)


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """The names that an example takes from the package, each with its module."""
    for part in code(path):
        for node in ast.walk(part):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fingerd"):
                yield from ((node.module or "", alias.name) for alias in node.names)


def test_everyModuleSaysTheSame() -> None:
    """The public names of a module are those in its __all__, and no other module has one."""
    said = {
        name: set(import_module(name).__all__)
        for name, path in modules()
        if re.search(r"^__all__ =", path.read_text("utf-8"), re.M)
    }
    assert said == PUBLIC


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examplesUseNothingElse(path: Path) -> None:
    """Every example gets by with what is public."""
    assert [name for name in imported(path) if name[1] not in PUBLIC.get(name[0], ())] == []


def test_examplesUseSomething() -> None:
    """What the examples use is seen by these tests."""
    used = {name for path in EXAMPLES for name in imported(path)}
    assert {
        ("fingerd.model.plugins", "IDoor"),
        ("fingerd.stores.sqlite", "SQLiteStore"),
        ("fingerd.model.masking", "Mask"),
    } <= used


def test_everyNameIsExplained() -> None:
    """Every public class and function has a docstring."""
    for module, names in PUBLIC.items():
        for name in names:
            value = getattr(import_module(module), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert value.__doc__, f"{module}.{name}"
