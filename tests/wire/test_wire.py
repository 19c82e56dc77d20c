"""What the daemon says on the wire is what was recorded, byte for byte: see README.md."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from difflib import unified_diff
from typing import cast

import pytest

from tests.wire.scenarios import TRANSCRIPTS, Scenario, everyScenario

SCENARIOS = everyScenario()

# They mostly wait for daemons to start.
_AT_ONCE = 3


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[str]]]:
    """The transcripts of the scenarios that were chosen, which are played at the same time."""
    chosen: list[Scenario] = [
        cast(Scenario, item.callspec.params["scenario"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        if item.function is test_sameBytes
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            scenario.name: pool.submit(scenario.transcript)
            for scenario in chosen
            if not scenario.why
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.name))
def test_sameBytes(scenario: Scenario, played: dict[str, Future[str]]) -> None:
    """Whoever asked the daemon before it was changed is answered by it in the same bytes."""
    if scenario.why:
        pytest.skip(scenario.why)
    recorded = scenario.path.read_text("utf-8").splitlines()
    now = played[scenario.name].result().splitlines()
    difference = list(unified_diff(recorded, now, "recorded", "now", lineterm="", n=4))
    if difference:
        pytest.fail("\n".join([scenario.about, *difference]), pytrace=False)


def test_everyTranscriptIsPlayed() -> None:
    """No transcript lies there that nobody compares with."""
    assert sorted(path.stem for path in TRANSCRIPTS.glob("*")) == [
        scenario.name for scenario in SCENARIOS
    ]
