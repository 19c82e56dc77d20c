"""
The scenarios: functions that take a L{tests.wire.wire.Wire}, whose docstrings say what they show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.wire.wire import Wire, needs, needsRoot

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Scenario:
    """
    A daemon or a few, and what is said to them.

    @ivar why: why it can't be played on this machine, or None.
    """

    name: str
    about: str
    play: Callable[[Wire], None]
    why: str | None

    @property
    def path(self) -> Path:
        """Its recorded transcript."""
        return TRANSCRIPTS / f"{self.name}.transcript"

    def transcript(self) -> str:
        """Play it, and give back what is said."""
        with Wire() as wire:
            self.play(wire)
            return f"# {self.about}\n{wire.transcript}"


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    *programs: str, root: bool = False
) -> Callable[[Callable[[Wire], None]], Callable[[Wire], None]]:
    """
    Make a scenario of a function.

    @param programs: what has to be installed for it.
    @param root: whether only root can play it.
    """

    def made(play: Callable[[Wire], None]) -> Callable[[Wire], None]:
        name, about = play.__name__, " ".join((play.__doc__ or "").split())
        assert about and name not in SCENARIOS, name
        why = needs(*programs) or (needsRoot() if root else None)
        SCENARIOS[name] = Scenario(name, about, play, why)
        return play

    return made


def everyScenario() -> list[Scenario]:
    """All there are, in the order of their names."""
    for module in sorted(_FOLDER.glob("[a-z]*.py")):
        import_module(f"{__name__}.{module.stem}")
    return [SCENARIOS[name] for name in sorted(SCENARIOS)]
