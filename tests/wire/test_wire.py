"""What the daemon says on the wire is what was recorded, byte for byte: see README.md."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from tests.wire.scenarios import TRANSCRIPTS, Scenario, everyScenario

SCENARIOS = everyScenario()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.name))
def test_sameBytes(scenario: Scenario) -> None:
    """Whoever asked the daemon before it was changed is answered by it in the same bytes."""
    if scenario.why:
        pytest.skip(scenario.why)
    recorded = scenario.path.read_text("utf-8").splitlines()
    now = scenario.transcript().splitlines()
    difference = list(unified_diff(recorded, now, "recorded", "now", lineterm="", n=4))
    if difference:
        pytest.fail("\n".join([scenario.about, *difference]), pytrace=False)


def test_everyTranscriptIsPlayed() -> None:
    """No transcript lies there that nobody compares with."""
    assert sorted(path.stem for path in TRANSCRIPTS.glob("*")) == [
        scenario.name for scenario in SCENARIOS
    ]
