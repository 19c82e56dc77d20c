"""
The daemon's own log: how twistd and twist write it.

They choose where it goes (C{--logfile}, standard output, syslog) before any of a service's own
code has a say, and, in a tac, without telling. So nothing is said here of where it goes: whatever
file they choose, the events are written to it in another form. Other observers (syslog, or one
that the administrator gives by C{--logger}) stay as they are.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogPublisher,
    eventAsText,
    formatEvent,
    formatEventAsClassicLogText,
    globalLogPublisher,
)
from zope.interface import implementer

from fingerd.logs.repeats import Repeats
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.text.cleaning import escape

FORMS = ("text", "json")
# Queries: the text of such an event is whole lines, in the form that was chosen for them.
_QUERIES = "fingerd.logs.query_log"
# What is written however much it is: queries, what users have set, and what is printed.
_WHOLE = (_QUERIES, "fingerd.logs.audit", "stdout", "stderr")
# Statements that log: there are some hundred, unless one makes a text of its own each time.
_KINDS = 1000


def asText(event: LogEvent) -> str | None:
    """
    An event as Twisted writes it: time, where it comes from, and the text; further lines of that
    begin in a TAB. What could drive a reader's terminal, or look like another line, is escaped.
    """
    return _ofQueries(event) or escape(formatEventAsClassicLogText(event) or "") or None


def asJSON(event: LogEvent) -> str | None:
    """
    An event on a line in JSON, in ASCII: C{time}, C{level}, C{system} and C{message}, and where
    something failed in a way that was not foreseen, the C{traceback}.
    """
    queries = _ofQueries(event)
    if queries is not None:
        return queries
    message = formatEvent(event)
    said = {
        "time": _time(event.get("log_time")),
        "level": getattr(event.get("log_level"), "name", "info"),
        "system": str(event.get("log_namespace", "-")),
        "message": message,
    }
    if "log_failure" in event:
        whole = eventAsText(event, includeTimestamp=False, includeSystem=False)
        said["traceback"] = whole.removeprefix(message).strip("\n")
    elif not message:
        return None
    return json.dumps(said) + "\n"


@implementer(ILogObserver)
class DaemonLog:
    """
    Lets the daemon's log be written as L{asText} or L{asJSON}, from its first line on.

    Of one kind of line there are C{limits.linesLogged} in C{limits.repeatsTime} and no more,
    so that nobody fills the disk with what they can bring about; the others are counted, and
    that is said before the next one.

    To be made before logging begins: by a C{makeService}, or in a tac.
    """

    def __init__(
        self,
        form: str,
        clock: IReactorTime,
        limits: Limits = DEFAULTS,
        publisher: LogPublisher = globalLogPublisher,
    ) -> None:
        """
        @param form: C{text} or C{json}.
        @param clock: the reactor.
        @param publisher: Twisted's own, whose observers these are.
        """
        self._form = asJSON if form == "json" else asText
        self._clock = clock
        self._limits = limits
        # One for each statement in the code that logs.
        self._kinds: dict[tuple[str, str], Repeats[tuple[str, str]]] = {}
        self._log = Logger(observer=publisher)
        self._publisher = publisher
        self._found = False
        publisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """
        See L{ILogObserver}. This was there first, so it sees an event before twistd's observer
        does, and before that it doesn't know which one that will be.
        """
        if not self._found:
            for observer in self._publisher._observers:
                writer: object = observer
                if isinstance(observer, FilteringLogObserver):
                    # twist's, which leaves out what is below its --log-level.
                    writer = observer._observer
                if isinstance(writer, FileLogObserver):
                    writer.formatEvent = self._format
                    self._found = True

    def _format(self, event: LogEvent) -> str | None:
        """The event's text, or None where there were too many of its kind."""
        kind = str(event.get("log_namespace")), str(event.get("log_format"))
        if kind[0].startswith(_WHOLE):
            return self._form(event)
        if kind not in self._kinds and len(self._kinds) >= _KINDS:
            kind = ("others", "")
        repeats = self._kinds.get(kind)
        if repeats is None:
            repeats = self._kinds[kind] = Repeats(
                self._limits.linesLogged, self._limits.repeatsTime, self._clock, self._more
            )
        written: list[str | None] = []

        def write() -> tuple[str, str]:
            written.append(self._form(event))
            return kind

        repeats.fold(object(), write)
        return written[0] if written else None

    def _more(self, kind: tuple[str, str], count: int) -> None:
        system, form = kind
        self._log.warn(
            "{count} more lines from {system}: {form!r}", count=count, system=system, form=form
        )


def _ofQueries(event: LogEvent) -> str | None:
    if str(event.get("log_namespace")).startswith(_QUERIES) and "lines" in event:
        return f"{event['lines']}\n"
    return None


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
