"""What a worker has counted, as it tells its parent: in what JSON has."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from fingerd.model.counts import LAG_TIMES, Counts, Figures, Lookups, Readings, Times


def factsOf(figures: Figures) -> dict[str, Any]:
    """Figures as they are told."""
    counts = figures.counts
    return {
        "queries": [[*key, times.numbers, times.seconds] for key, times in counts.queries.items()],
        "refusals": counts.refusals,
        "settings": counts.settings,
        "lookups": [astuple(each) for each in counts.lookups],
        "connections": dict(figures.connections),
        "most": dict(figures.most),
        "users": list(figures.users),
        "readings": [None if each is None else astuple(each) for each in figures.readings],
        "lag": [figures.lag.numbers, figures.lag.seconds],
        "loaded": figures.loaded,
    }


def figuresOf(facts: dict[str, Any]) -> Figures | None:
    """
    The figures that were told so; None where these are no such facts. A worker may be of a newer
    version than its parent, which has run since before.
    """
    try:
        counts = Counts(refusals=facts["refusals"], settings=facts["settings"])
        for door, outcome, *times in facts["queries"]:
            counts.queries[door, outcome].merge(_times(Times(), *times))
        counts.lookups += [Lookups(*each) for each in facts["lookups"]]
        lag = Times(LAG_TIMES)
        lag.merge(_times(Times(LAG_TIMES), *facts["lag"]))
        return Figures(
            counts,
            facts["connections"],
            facts["most"],
            facts["users"],
            [None if each is None else Readings(*each) for each in facts["readings"]],
            lag,
            facts["loaded"],
        )
    except (KeyError, TypeError, ValueError):
        return None


def _times(times: Times, numbers: list[int], seconds: float) -> Times:
    times.numbers, times.seconds = numbers, seconds
    return times
