"""
How long it takes until a status shows at one daemon that another has acknowledged.

    python -m tests.fleet.delay --times 500
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Iterator

from tests.fleet.fleet import Fleet

_USERS = 16


def delays(fleet: Fleet, times: int) -> Iterator[float]:
    """Seconds from the answer to whoever has set a status at one daemon to it at the other."""
    for number in range(times):
        text = f"status {number}"
        assert fleet.set("one", "user0", text) == "OK"
        start = time.perf_counter()
        while fleet.askAt("two", "user0") != f"{text}\r\n":
            pass
        yield time.perf_counter() - start


def setting(fleet: Fleet, login: str, stopped: threading.Event) -> None:
    """Set somebody else's status meanwhile, at both."""
    number = 0
    while not stopped.is_set():
        number += 1
        name = ("one", "two")[number % 2]
        assert fleet.set(name, login, f"status {number}") == "OK"


def said(what: str, measured: Iterator[float]) -> str:
    """What was measured, in milliseconds."""
    milliseconds = sorted(1000 * each for each in measured)
    parts = statistics.quantiles(milliseconds, n=100)
    median, most = parts[49], milliseconds[-1]
    return f"{what}: median {median:.1f} ms, p99 {parts[98]:.1f} ms, longest {most:.1f} ms"


def main() -> None:
    """Measure as often as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet.delay")
    parser.add_argument("--times", type=int, default=500, help="how many times [500]")
    times: int = parser.parse_args().times
    users = [f"user{number}" for number in range(1 + _USERS)]
    with Fleet(users, "--limit=peerQueries=1000000000") as fleet:
        print(said("one client sets", delays(fleet, times)), flush=True)
        stopped = threading.Event()
        threads = [
            threading.Thread(target=setting, args=(fleet, login, stopped)) for login in users[1:]
        ]
        for thread in threads:
            thread.start()
        try:
            print(said(f"{_USERS} others set too", delays(fleet, times)))
        finally:
            stopped.set()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    main()
