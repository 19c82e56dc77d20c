"""Being woken before others, in a process of its own that may."""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import TestCase

from tests.support.daemon import NOBODY, PATIENCE, ROOT, needsRoot

_PROGRAM = f"""
import os, sys, threading
from twisted.internet.task import Clock
from fingerd.system.going_first import GoingFirst
clock, used = Clock(), [0.0]
going = GoingFirst(clock, lambda: used[0])
seen = lambda: print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
if sys.argv[1] == "later":
    os.setuid({NOBODY})
going.privilegedStartService()
os.setuid({NOBODY})
going.startService()
seen()
thread = threading.Thread(target=seen)
thread.start()
thread.join()
for more in (0.1, 0.3, 0.0):
    used[0] += more
    clock.advance(1.0)
    seen()
clock.advance(28.0)
going.stopService()
seen()
print(len(clock.getDelayedCalls()))
"""

FIRST, OTHER = str(os.SCHED_RR), str(os.SCHED_OTHER)


class GoingFirstTests(TestCase):
    """A daemon that root has started, or somebody else."""

    def seen(self, when: str) -> list[str]:
        """What a process is, step by step, that stops being root at this time."""
        needsRoot()
        ran = subprocess.run(
            [sys.executable, "-c", _PROGRAM, when],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
            cwd=ROOT,
        )
        return ran.stdout.split()

    def test_idleAndBusy(self) -> None:
        """
        It goes first while it does little, as a lesser user too, and its threads don't; when it was
        busy it is one of many, and so it is when it has stopped.
        """
        self.assertEqual(self.seen("first"), [FIRST, OTHER, FIRST, OTHER, OTHER, OTHER, "0"])

    def test_notAllowed(self) -> None:
        """Where the system doesn't allow it, nothing is done, and nothing is left to do."""
        self.assertEqual(self.seen("later"), [OTHER] * 6 + ["0"])
