"""``fingerd``: the daemon in the foreground, as whoever supervises it wants it."""

from __future__ import annotations

import sys

from twisted.scripts import twistd


def main() -> None:
    """The console script: C{fingerd OPTIONS} is C{twistd --nodaemon --pidfile= finger OPTIONS}."""
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "finger", *sys.argv[1:]]
    twistd.run()
