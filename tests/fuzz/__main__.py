"""
Looks for bytes that a target can't take: see L{tests.fuzz}. It needs atheris, which the extra
C{fuzz} installs::

    python -m tests.fuzz query --runs 1000000
    python -m tests.fuzz query --merge

The first begins with what is in C{tests/fuzz/corpus/query} and keeps what it finds in a folder
of its own, C{fuzz/query} where it is run, where also what fails is kept. The second takes over
into the corpus those of the found that cover more than what is there.
"""

from __future__ import annotations

import argparse
import gc
import shlex
import sys
import time
from pathlib import Path

import atheris
from twisted.logger import globalLogBeginner

with atheris.instrument_imports(include=["fingerd"]):
    from tests.fuzz.targets import CORPUS, TARGETS, Target

# Rule of the house: nothing holds the reactor for longer.
_SECONDS = 0.05


class _Timed:
    """A target, with an eye on the processor's time that it takes."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._slowest = 0.002

    def __call__(self, given: bytes) -> None:
        began = time.process_time()
        self._target(given)
        took = time.process_time() - began
        if took > self._slowest:
            self._slowest = took
            print(f"slowest: {1000 * took:.1f} ms, {len(given)} bytes", file=sys.stderr)
            # Once more, since something else may have come in between.
            began = time.process_time()
            self._target(given)
            assert time.process_time() - began < _SECONDS, f"took {1000 * took:.0f} ms"


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=-1, help="inputs to try; for ever by default")
    parser.add_argument("--seconds", type=int, default=0, help="to go on for; 0 is for ever")
    parser.add_argument("--longest", type=int, default=4096, help="bytes in an input")
    parser.add_argument("--merge", action="store_true", help="take over into the corpus")
    parser.add_argument("libfuzzer", nargs="*", help="after --: its own arguments, and no others")
    options = parser.parse_args()

    corpus = CORPUS / options.target
    found = Path("fuzz") / options.target
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    arguments = [f"-max_len={options.longest}", f"-artifact_prefix={found.parent}/"]
    if options.libfuzzer:
        arguments = options.libfuzzer
    elif options.merge:
        arguments += ["-merge=1", str(corpus), str(found)]
    else:
        arguments += [f"-runs={options.runs}", f"-max_total_time={options.seconds}"]
        arguments += ["-print_final_stats=1", str(found), str(corpus)]

    # Nobody reads the log.
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    target = _Timed(TARGETS[options.target]())
    gc.freeze()
    # To merge, it starts itself again by what it is called and with other arguments.
    command = f"{shlex.quote(sys.executable)} -m tests.fuzz {options.target} --"
    atheris.Setup([command, *arguments], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
