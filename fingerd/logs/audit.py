"""
What the log says of changes and of refusals: who, from where, and whose. Never the text.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from fingerd.logs.repeats import Repeats
from fingerd.model.limits import Limits
from fingerd.model.record import Setter

_log = Logger()


def changed(by: Setter, login: str, text: str, until: float | None) -> None:
    """
    Log that ``by`` has set the status of ``login``.

    @param text: only whether there is any is told.
    @param until: when it ends, in seconds since the epoch.
    """
    done = "set" if text else "cleared"
    if until is not None:
        done += f" until {datetime.fromtimestamp(int(until), UTC):%FT%TZ}"
    # Put together here: each field that is left to the logger costs a microsecond.
    line = f"status of {login!r} {done} by {by}"
    _log.info("{line}", line=line, login=login, done=done, by=by)


class Refusals:
    """
    Logs refusals, ``limits.refusalsLogged`` in ``limits.refusalsTime``, so that nobody fills
    the log with them; what was left out is counted, and said before the next one that isn't.
    """

    def __init__(self, limits: Limits, clock: IReactorTime) -> None:
        self._repeats: Repeats[None] = Repeats(
            limits.refusalsLogged, limits.refusalsTime, clock, _more
        )

    def refused(self, by: Setter, login: str | None, reason: str) -> None:
        """
        Log that ``by`` was told ``reason``, instead of having set the status of ``login``: None
        where they hadn't said whose yet.
        """
        whose = "" if login is None else f", for {login!r}"
        self._repeats.fold(
            # Each matters, also where somebody tries again.
            object(),
            lambda: _log.warn("refused {by!s}{whose}: {reason}", by=by, whose=whose, reason=reason),
        )


def _more(said: None, count: int) -> None:
    _log.warn("{count} more refusals to set a status", count=count)
