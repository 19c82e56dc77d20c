"""
The daemon's own log: how twistd and twist write it.

They choose where it goes (C{--logfile}, standard output, syslog) before any of a service's own
code has a say, and, in a tac, without telling. So whatever file they choose, the events are
written to it in another form. Other observers (syslog, or one that the administrator gives by
C{--logger}) stay as they are, and have their own means against floods.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorCore, IReactorTime
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
from twisted.python.logfile import LogFile
from zope.interface import implementer

from fingerd.logs.log_file import openLog
from fingerd.logs.repeats import Like, Repeats
from fingerd.model.errors import reasonOf
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.text.cleaning import escape

FORMS = ("text", "json")
# Queries, and what workers write: the text of such an event is whole lines, in the form that was
# chosen for them.
_LINES = ("fingerd.logs.query_log", "fingerd.logs.worker_lines")
# What is written however much it is: queries, sums of what was left out, and what is printed.
_WHOLE = (*_LINES, "fingerd.logs.daemon_log", "stdout", "stderr")
# Of a line that stands for others, so many characters are repeated.
_SHOWN = 200
_ALL = Like(None)


def asText(event: LogEvent) -> str | None:
    """
    An event as Twisted writes it: time, where it comes from, and the text; further lines of that
    begin in a TAB. What could drive a reader's terminal, or look like another line, is escaped.
    """
    return _wholeLines(event) or escape(formatEventAsClassicLogText(event) or "") or None


def asJSON(event: LogEvent) -> str | None:
    """
    An event on a line in JSON, in ASCII: C{time}, C{level}, C{system} and C{message}, and where
    something failed in a way that was not foreseen, the C{traceback}.
    """
    lines = _wholeLines(event)
    if lines is not None:
        return lines
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

    Of one kind of line there are C{limits.repeatsLogged} in C{limits.repeatsTime} and no more, so
    that nobody fills the disk with what they can bring about. The others are counted, and the log
    says how many there were when the time is over, and when the daemon stops.

    Lines are of one kind when one statement of the program makes them. Where these are to be told
    apart (say, by whom they are about), the event has a L{Like} as C{like}.

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
        self._repeats = Repeats(limits, clock, self._more)
        self._log = Logger(observer=publisher)
        self._publisher = publisher
        self._writers: list[FileLogObserver] = []
        publisher.addObserver(self)
        if IReactorCore.providedBy(clock):
            clock.addSystemEventTrigger("after", "shutdown", self._repeats.sum)

    def __call__(self, event: LogEvent) -> None:
        """
        See L{ILogObserver}. This observer was there first, so it sees twistd's first event before
        twistd's observer does; only then is that one known.
        """
        if not self._writers:
            for observer in self._publisher._observers:
                writer: object = observer
                if isinstance(observer, FilteringLogObserver):
                    # twist's, which leaves out what is below its --log-level.
                    writer = observer._observer
                if isinstance(writer, FileLogObserver):
                    writer.formatEvent = self._format
                    self._writers.append(writer)

    def reopen(self) -> None:
        """
        Go on in the file that now has the path of the one that twistd or twist has opened: what
        logrotate has moved away is let go. Where it can't be opened or made, the log goes on in the
        old one, and says so.
        """
        for writer in self._writers:
            log = writer._outFile
            if log in (sys.__stdout__, sys.__stderr__):
                continue
            # twistd's log file keeps to itself what it writes to; twist's is an ordinary file.
            file = getattr(log, "_file", log)
            try:
                new = openLog(file.name)
            except OSError as error:
                if not _isAt(file.name, file.fileno()):
                    self._log.error(
                        "{path} can't be opened again ({reason}): the log is still written to the "
                        "file that was open",
                        path=file.name,
                        reason=reasonOf(error),
                    )
                continue
            # Under the file object, whichever it is, and whoever else knows it.
            os.dup2(new, file.fileno(), inheritable=False)
            os.close(new)
            if isinstance(log, LogFile):
                # What it has of its own against growing counts from here.
                log.size = os.fstat(file.fileno()).st_size

    def _format(self, event: LogEvent) -> str | None:
        """The event's text, or None where there were too many of its kind."""
        system = str(event.get("log_namespace"))
        if system.startswith(_WHOLE) or self._repeats.allow(
            (system, event.get("log_format")),
            event.get("like", _ALL),
            lambda: formatEvent(event)[:_SHOWN],
        ):
            return self._form(event)
        return None

    def _more(self, line: str, count: int) -> None:
        self._log.warn("{count} more lines like this one: {line}", count=count, line=line)


def _isAt(path: str, file: int) -> bool:
    """Whether an open file is the one that has the path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except OSError:
        return False


def _wholeLines(event: LogEvent) -> str | None:
    if str(event.get("log_namespace")).startswith(_LINES) and "lines" in event:
        return f"{event['lines']}\n"
    return None


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
