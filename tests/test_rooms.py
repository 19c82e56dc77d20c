"""The rooms of the package: which one may import which."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fingerd"

PURE = {"text", "model"}
BELOW = {*PURE, "system", "logs"}
# What each room may import of the others: see docs/architecture.md, which a test compares.
ARROWS = {
    "text": set(),
    "model": {"text"},
    "system": {"model"},
    "logs": {"system", *PURE},
    "remote": BELOW,
    "directories": {"remote", *BELOW},
    "stores": BELOW,
    "service": BELOW,
    "doors": BELOW,
    "daemon": {"doors", "directories", "stores", "service", "remote", *BELOW},
    "commands": {"doors", "remote", *BELOW},
}
# Doors have these in common; of each other they know nothing.
COMMON_DOORS = ("net", "plain", "http")
# The service's only look at doors, inside the talk's two methods.
FACTORIES = {
    "fingerd.doors.finger.finger_protocol",
    "fingerd.doors.setter.setter_protocol",
}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package by its dotted name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    """What a module imports of the package, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if (PACKAGE.parent / Path(*node.module.split("."))).is_dir():
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def upward(name: str, imported: str) -> bool:
    """Whether a module looks into a room that it must not see."""
    # Which version it is, everyone may know.
    if not imported.startswith("fingerd.") or imported == "fingerd.__version__":
        return False
    room, *rest = name.split(".")[1:] or [""]
    other, *inner = imported.split(".")[1:]
    if not room:
        return True
    if room == other:
        if room != "doors" or not rest:
            return False
        return inner[:1] != rest[:1] and inner[0] not in COMMON_DOORS
    if room == "service" and imported in FACTORIES:
        return not name.endswith("finger_service")
    return other not in ARROWS[room]


def test_noRoomLooksUpward() -> None:
    """Every module imports only what its room may see, also inside its functions."""
    found = [
        f"{name} imports {imported}"
        for name, path in modules()
        for imported in imports(path)
        if upward(name, imported)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("name", "imported"),
    [
        ("fingerd.text.cleaning", "fingerd.model.user"),
        ("fingerd.model.user", "fingerd.system.threads"),
        ("fingerd.doors.plain.answer", "fingerd.service.users"),
        ("fingerd.doors.finger.finger_door", "fingerd.doors.setter.grammar"),
        ("fingerd.service.users", "fingerd.stores.memory"),
        ("fingerd.service.users", "fingerd.doors.finger.finger_protocol"),
        ("fingerd.directories.given", "fingerd.service.users"),
        ("fingerd.logs.audit", "fingerd.service.visits"),
    ],
)
def test_anUpwardLookIsSeen(name: str, imported: str) -> None:
    """A module that looked upward would be found."""
    assert upward(name, imported)


def test_noTwoOfOneName() -> None:
    """No two modules have one name, so that a name says which is meant."""
    names = [path.stem for _, path in modules() if path.stem != "__init__"]
    assert sorted(names) == sorted(set(names))


def test_everyRoomSaysWhatItIs() -> None:
    """Each room says in three lines what belongs there and what it may import."""
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent == PACKAGE:
            continue
        lines = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")
        assert len(lines) == 3, path
        assert lines[2].startswith("It imports "), path


def test_whatIsLinkedIsThere() -> None:
    """Every name of the package that a docstring refers to is one that there is."""
    for _, path in modules():
        for name in re.findall(r"L\{(?:[^}<]*<)?(fingerd[\w.]*)", path.read_text("utf-8")):
            assert _isThere(name), f"{path}: {name}"


def _isThere(name: str) -> bool:
    try:
        import_module(name)
    except ModuleNotFoundError:
        parent, _, last = name.rpartition(".")
        return hasattr(import_module(parent), last)
    return True
