"""What comes of a measurement: tables, targets, figures and a plot."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import plots


@dataclass(frozen=True)
class Spread:
    """Figures of several rounds: their median, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """The spread of these figures, of which there is at least one."""
        if len(figures) == 1:
            return cls(figures[0], figures[0], figures[0])
        return cls(*statistics.quantiles(figures, n=4, method="inclusive"))

    def words(self, digits: int) -> str:
        """As in C{0.73 (0.70 to 0.75)}."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


@dataclass(frozen=True)
class Table:
    """A table: the words of its head, and of its rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table in Markdown, aligned so that it can be read as it is."""
        lines = [list(self.head), *map(list, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, ["-" * width for width in widths])
        return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


@dataclass(frozen=True)
class Target:
    """
    A figure and what it should be.

    @ivar limit: the most that it should be or, where C{atLeast}, the least.
    """

    what: str
    measured: float
    limit: float
    unit: str = ""
    atLeast: bool = False

    @property
    def met(self) -> bool:
        """Whether it is so."""
        return self.measured >= self.limit if self.atLeast else self.measured <= self.limit

    def row(self) -> list[str]:
        """A row of L{TARGETS}."""
        bound = "at least" if self.atLeast else "at most"
        return [
            self.what,
            f"{bound} {self.limit:,g}{self.unit}",
            f"{_digits(self.measured)}{self.unit}",
            "yes" if self.met else "**no**",
        ]


TARGETS = ("target", "wanted", "measured", "met")


@dataclass
class Result:
    """
    What came of one measurement.

    @ivar name: as on the command line.
    @ivar how: how it was measured, for people.
    @ivar figures: all of it, for JSON.
    @ivar faults: answers that were wrong or missing.
    @ivar plot: draws the figures into a file.
    """

    name: str
    title: str
    how: str
    tables: list[Table]
    targets: list[Target]
    figures: dict[str, Any]
    faults: int
    plot: Callable[[Path], None] | None = None

    def markdown(self) -> str:
        """The measurement as a section of a report."""
        parts = [f"## {self.title}", self.how, *(table.markdown() for table in self.tables)]
        if self.plot is not None and plots.POSSIBLE:
            parts.append(f"![{self.title}]({self.name}.png)")
        parts.append(f"Wrong or missing answers: {self.faults}.")
        if self.targets:
            parts.append(Table(TARGETS, [target.row() for target in self.targets]).markdown())
        return "\n\n".join(parts)

    def save(self, folder: Path, machine: Mapping[str, str]) -> None:
        """Write the figures as JSON, with what they were measured on, and the plot."""
        folder.mkdir(parents=True, exist_ok=True)
        kept = {
            "name": self.name,
            "machine": dict(machine),
            "faults": self.faults,
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
            "figures": self.figures,
        }
        (folder / f"{self.name}.json").write_text(json.dumps(kept, indent=1) + "\n")
        if self.plot is not None and plots.POSSIBLE:
            self.plot(folder / f"{self.name}.png")


def report(results: Sequence[Result], machine: Mapping[str, str]) -> str:
    """All of the measurements as one page of Markdown."""
    about = Table(("", ""), list(machine.items()))
    targets = [target.row() for result in results for target in result.targets]
    sections = [about.markdown()]
    if len(results) > 1:
        sections.append(Table(TARGETS, targets).markdown())
    if not plots.POSSIBLE:
        sections.append("(Without plots: matplotlib is not installed.)")
    return "\n\n".join([*sections, *(result.markdown() for result in results)]) + "\n"


def _digits(figure: float) -> str:
    """A figure with as many digits as say something."""
    return (
        f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"
    )
