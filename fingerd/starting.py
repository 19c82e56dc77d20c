"""What ends a start that can't succeed."""

from __future__ import annotations


class CannotStart(SystemExit, Exception):
    """
    The daemon can't start, for the reason given in words.

    As a L{SystemExit} it ends the process with status 1 and with one line on standard error; as
    an L{Exception} it is one to twistd, which then takes its pid file away and, when it has
    daemonized already, hands the first 100 bytes of the reason to the shell that waits for it.
    """
