"""
What the log says of changes and of refusals: who, from where, and whose. Never the text.

Every change of a user has its line, as long as the number of their changes is limited
(C{limits.userSettings}). Of other changes, and of refusals, each user, by uid or by the login that
they have proven, has so many lines in a time, and the others are summed up (see
L{fingerd.logs.daemon_log}). So nobody fills the log with their own, or has another user's line left
out.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from twisted.logger import Logger

from fingerd.logs.repeats import Like
from fingerd.model.policy import NOT_TOLD, NOT_TOLD_BUT
from fingerd.model.record import Part, Setter

_log = Logger()
_WHOLE = Like(None, math.inf)


_NAMES = {
    Part.STATUS: "status",
    Part.PLAN: "plan",
    Part.PROJECT: "project",
    Part.HIDDEN: "hiding",
    Part.PUBLIC_HISTORY: "public history",
}


def changed(
    by: Setter,
    login: str,
    text: str,
    until: float | None,
    most: int | None = None,
    part: Part = Part.STATUS,
) -> None:
    """
    Log that ``by`` has set the status of ``login``, or another C{part} of what is shown.

    @param text: the log says only whether there is any.
    @param until: when the status ends, in seconds since the epoch.
    @param most: how many lines the user has in a time, if they may make more changes than that.
    """
    done = "set" if text else "cleared"
    if until is not None:
        done += f" until {datetime.fromtimestamp(int(until), UTC):%FT%TZ}"
    # Put together here: each field that is left to the logger costs a microsecond.
    _write(f"{_NAMES[part]} of {login!r} {done} by {by}", by, login, done, most)


def takenBack(by: Setter, login: str, part: Part | None, most: int | None = None) -> None:
    """Log that ``by`` has taken back what was set last of C{part}, or erased all that ever was."""
    done = "all that was set erased" if part is None else f"{_NAMES[part]} taken back"
    _write(f"{done} of {login!r} by {by}", by, login, done, most)


def _write(line: str, by: Setter, login: str, done: str, most: int | None) -> None:
    like = _WHOLE if most is None else Like(by.account, most)
    _log.info("{line}", line=line, login=login, done=done, by=by, like=like)


def refused(by: Setter, login: str | None, reason: str) -> None:
    """
    Log that ``by`` was told ``reason``, instead of having set the status of ``login``: None where
    they hadn't said whose yet.
    """
    whose = "" if login is None else f", for {login!r}"
    if reason == NOT_TOLD:
        reason += f"; {NOT_TOLD_BUT}"
    like = Like(by.account)
    _log.warn("refused {by!s}{whose}: {reason}", by=by, whose=whose, reason=reason, like=like)
