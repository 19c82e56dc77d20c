"""
The plots, by matplotlib: what most people who read plots of measurements have seen theirs drawn
by. Without it all is measured as well, and nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

try:
    from matplotlib.figure import Figure
except ImportError:
    POSSIBLE = False
else:
    POSSIBLE = True

_WIDTH = 8.0
# Dots an inch: small enough for a page, and for a repository.
_DOTS = 80
# Characters in a line of a name.
_NAME = 26


def bars(
    path: Path,
    title: str,
    names: Sequence[str],
    groups: Mapping[str, Sequence[tuple[float, float, float]]],
    axis: str,
) -> None:
    """
    Draw bars: a group for each name.

    @param groups: under what is said of them, for each name a figure between its quartiles.
    @param axis: what the figures are.
    """
    figure = Figure(figsize=(_WIDTH, 1.5 + 0.25 * len(names) * len(groups)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(groups)
    for number, (label, spreads) in enumerate(groups.items()):
        places = [place + number * height for place in range(len(names))]
        medians = [median for _, median, _ in spreads]
        errors = [
            [median - low for low, median, _ in spreads],
            [high - median for _, median, high in spreads],
        ]
        drawn = axes.barh(places, medians, height * 0.9, xerr=errors, label=label, capsize=3)
        axes.bar_label(drawn, fmt="%.2f", padding=6)
    middles = [place + 0.4 - height / 2 for place in range(len(names))]
    axes.set_yticks(middles, [fill(name, _NAME) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    axes.margins(x=0.1)
    figure.suptitle(title)
    figure.legend(loc="outside lower center", ncols=len(groups))
    figure.savefig(path, dpi=_DOTS)


def lines(
    path: Path,
    title: str,
    across: str,
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    logarithmic: bool = True,
) -> None:
    """
    Draw lines over sizes, or over time.

    @param across: what the sizes are.
    @param panels: under what the figures are, for each line its name and its points.
    @param logarithmic: on logarithmic axes, with a mark at each point: what grows linearly is
        straight. Otherwise both axes are as usual, and the one of the figures begins at 0.
    """
    figure = Figure(figsize=(_WIDTH, 3.6), layout="constrained")
    for axes, (what, drawn) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for label, points in drawn.items():
            if logarithmic:
                axes.loglog(*zip(*points, strict=True), marker="o", label=label)
            else:
                axes.plot(*zip(*points, strict=True), label=label)
        if not logarithmic:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(across)
        axes.set_ylabel(what)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=_DOTS)
