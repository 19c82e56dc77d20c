"""C{python -m tests.wire record [NAME...]}: see README.md."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.wire.scenarios import TRANSCRIPTS, Scenario, everyScenario

AT_ONCE = 3


def record(scenario: Scenario) -> int:
    """Write down what is said in a scenario, and give back how many requests it has."""
    transcript = scenario.transcript()
    scenario.path.write_text(transcript, "utf-8", newline="\n")
    return sum("> " in line.split('"')[0] for line in transcript.splitlines())


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser("python -m tests.wire")
    parser.add_argument("what", choices=["record"])
    parser.add_argument("name", nargs="*", help="a scenario; without any, all of them")
    names = parser.parse_args().name
    scenarios = everyScenario()
    if unknown := set(names) - {scenario.name for scenario in scenarios}:
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}")
    chosen = [scenario for scenario in scenarios if not names or scenario.name in names]
    if cannot := [f"{scenario.name} {scenario.why}" for scenario in chosen if scenario.why]:
        sys.exit("\n".join(cannot))
    TRANSCRIPTS.mkdir(exist_ok=True)
    if not names:
        for path in TRANSCRIPTS.glob("*.transcript"):
            path.unlink()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        requests = sum(pool.map(record, chosen))
    print(f"{len(chosen)} scenarios, {requests} requests")


if __name__ == "__main__":
    main()
