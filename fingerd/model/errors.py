"""What can go wrong in a way that was foreseen."""

from __future__ import annotations

__all__ = ["CannotStart", "DirectoryError", "SettingRefused"]


class CannotStart(SystemExit, Exception):
    """
    The daemon can't start, for the reason given in words.

    As a L{SystemExit} it ends the process with status 1 and with one line on standard error. As
    an L{Exception} it is caught by twistd, which then takes its pid file away. When a tac has
    daemonized already, twistd hands the first 98 bytes of the reason to the shell that waits for
    it, with the name of this class before it: so that name is a short one. (C{twistd finger} hands
    on all of it: see L{fingerd.daemon.starting}.)
    """

    __module__ = "builtins"


class SettingRefused(Exception):
    """A status that was not set. Its one argument is the reason, in words for the client."""


class DirectoryError(Exception):
    """A source that can't answer. Its one argument is the reason, in words for the log."""


class ListRefused(Exception):
    """The administrator has turned the list off (RFC 1288 2.5.1)."""


def reasonOf(error: BaseException | None) -> str:
    """Why something failed, in words for the log or the administrator."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
