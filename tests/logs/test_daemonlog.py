"""The daemon's own log: its two forms, under twistd and twist."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from twisted.internet.task import Clock
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogBeginner,
    LogEvent,
    Logger,
    LogLevelFilterPredicate,
    LogPublisher,
    jsonFileLogObserver,
    textFileLogObserver,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from fingerd.logs.daemon_log import DaemonLog
from fingerd.model.limits import Limits
from tests.support.daemon import PATIENCE, ROOT, TWISTD
from tests.support.ports import temporaryFolder

HOSTILE = "a\x1b[2J\x9b\u202eb\r\udc80\nsecond \u2028line"
_STAMP = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} "


class FormTests(SynchronousTestCase):
    """How events are written."""

    def setUp(self) -> None:
        self.clock = Clock()

    def logged(
        self,
        form: str,
        say: Callable[[Logger], object],
        observer: Callable[[IO[Any]], ILogObserver] = textFileLogObserver,
    ) -> str:
        """What is written to the file that a runner of services has chosen."""
        publisher = LogPublisher()
        beginner = LogBeginner(publisher, io.StringIO(), sys, FakeWarnings())
        DaemonLog(form, self.clock, Limits(), publisher)
        file = io.StringIO()
        say(Logger("early", observer=publisher))
        beginner.beginLoggingTo([observer(file)], redirectStandardIO=False)
        say(Logger("late", observer=publisher))
        return file.getvalue()

    def test_text(self) -> None:
        """As text it looks as with Twisted alone."""
        early, late = self.logged("text", lambda log: log.info("Hello {n}\nyou", n=1)).split(
            "\n2", 1
        )
        self.assertRegex(early, _STAMP + r"\[early#info\] Hello 1\n\tyou$")
        self.assertRegex("2" + late, _STAMP + r"\[late#info\] Hello 1\n\tyou\n$")

    def test_escaped(self) -> None:
        """What could drive a reader's terminal, or be taken for another line, is escaped."""
        text = self.logged("text", lambda log: log.info("{it}", it=HOSTILE))
        shown = r"a\x1b[2J\x9b\u202eb\r\udc80" + "\n\t" + r"second \u2028line" + "\n"
        self.assertEqual(text.count(shown), 2)
        text = self.logged("json", lambda log: log.info("{it}", it=HOSTILE))
        self.assertTrue(text.replace("\n", "").isprintable() and text.isascii())
        self.assertEqual([json.loads(line)["message"] for line in text.splitlines()], [HOSTILE] * 2)

    def test_traceback(self) -> None:
        """Tracebacks stay readable, and what an exception says is escaped."""
        text = self.logged("text", _fail)
        self.assertRegex(text, _STAMP + r"\[early#critical\] looking\n\tTraceback ")
        self.assertIn("\n\tbuiltins.ValueError: \\x1b[2J\n", text)
        self.assertNotIn("\x1b", text)
        for line in self.logged("json", _fail).splitlines():
            said = json.loads(line)
            self.assertEqual((said["level"], said["message"]), ("critical", "looking"))
            self.assertRegex(said["traceback"], r"^Traceback [^\0]*\nbuiltins.ValueError: \x1b")

    def test_json(self) -> None:
        """In JSON every event is a line, from the first one on, under twist too."""

        def filtered(file: IO[Any]) -> ILogObserver:
            return FilteringLogObserver(jsonFileLogObserver(file), [LogLevelFilterPredicate()])

        for observer in (textFileLogObserver, filtered):
            text = self.logged("json", lambda log: log.warn("Hello {n}\nyou", n=1), observer)
            for line, system in zip(text.splitlines(), ("early", "late"), strict=True):
                said = json.loads(line)
                self.assertRegex(said.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
                self.assertEqual(
                    said, {"level": "warn", "system": system, "message": "Hello 1\nyou"}
                )

    def test_queries(self) -> None:
        """Queries in the daemon's log are lines of their own, as they were made."""

        def say(log: Logger) -> None:
            queries = Logger("fingerd.logs.query_log._Log", observer=log.observer)
            queries.info("{lines}", lines='{"a":1}\n{"a":2}')

        for form in ("text", "json"):
            self.assertEqual(self.logged(form, say), '{"a":1}\n{"a":2}\n' * 2)

    def test_others(self) -> None:
        """An observer that isn't a file's stays as it is."""
        events: list[LogEvent] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            events.append(event)

        publisher = LogPublisher()
        DaemonLog("json", Clock(), publisher=publisher)
        publisher.addObserver(observer)
        Logger("x", observer=publisher).info("Hello")
        self.assertEqual(events[0]["log_format"], "Hello")


class FakeWarnings:
    """The part of the module that logging takes over."""

    showwarning = None


def _fail(log: Logger) -> None:
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        log.failure("looking")


_TAC = """
import sys
sys.path.insert(0, {root!r})
from twisted.application import service
from twisted.internet import reactor
from twisted.logger import Logger
from fingerd.logs.daemon_log import DaemonLog
from fingerd.system.signals import OnSignal
log = DaemonLog({form!r}, reactor)
import signal
class Says(service.Service):
    def startService(self):
        reactor.callWhenRunning(Logger("test").info, "{{it}}", it="\\x1b[2J")
        reactor.callWhenRunning(Logger("test").info, "running")
    def stopService(self):
        Logger("test").info("stopping")
application = service.Application("test")
Says().setServiceParent(application)
told = OnSignal(signal.SIGUSR1, reactor, log.reopen, lambda: Logger("test").info("told"))
told.setServiceParent(application)
"""


class TwistdTests(SynchronousTestCase):
    """The real twistd, with a tac."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)

    def run_(self, form: str, *options: str) -> tuple[str, int]:
        """Run it, send it a SIGUSR1 and a SIGTERM, and give all it wrote and its exit status."""
        tac = self.folder / "test.tac"
        tac.write_text(_TAC.format(root=str(ROOT), form=form))
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [TWISTD, "-noy", str(tac), "--pidfile=", *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)},
            )

            def written() -> str:
                return "".join(
                    [
                        *(
                            path.read_text()
                            for path in sorted(self.folder.glob("log*"), reverse=True)
                        ),
                        _all(output),
                    ]
                )

            try:
                for word, number in (("running", signal.SIGUSR1), ("told", signal.SIGTERM)):
                    while word not in written():
                        self.assertIsNone(process.poll(), written())
                        time.sleep(0.01)
                    process.send_signal(number)
                status = process.wait(PATIENCE)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            return written(), status

    def test_text(self) -> None:
        """As text, every line of standard output is as twistd's, and nothing raw is in it."""
        written, status = self.run_("text")
        self.assertEqual(status, -signal.SIGTERM)
        for line in written.splitlines():
            self.assertRegex(line, _STAMP)
        self.assertIn(r"[test#info] \x1b[2J", written)

    def test_json(self) -> None:
        """In JSON, each line is, from twistd's first to its last; so it is in a file."""
        for options in ((), ("--logfile=log",)):
            written, status = self.run_("json", *options)
            self.assertEqual(status, -signal.SIGTERM)
            said = [json.loads(line)["message"] for line in written.splitlines()]
            self.assertRegex("\n".join(said), r"(?s)^Loading .*starting up.*\x1b\[2J.*Server Shut")


def _all(file: IO[str]) -> str:
    return Path(f"/proc/self/fd/{file.fileno()}").read_text()
