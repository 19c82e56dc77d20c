"""The metrics of a daemon of several processes are those of one."""

from __future__ import annotations

import json
import re
import signal
from typing import cast
from urllib.request import urlopen

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.daemon.workers.measuring import Measuring
from fingerd.daemon.workers.telling import factsOf, figuresOf
from fingerd.daemon.workers.worker import Worker
from fingerd.model.counts import Figures
from fingerd.model.limits import DEFAULTS
from tests.daemon.test_workers import ANSWER, MANY, WorkersCase
from tests.doors.test_metrics import samples
from tests.support.daemon import PATIENCE
from tests.support.service import Finger
from tests.support.workers import Watched, WorkersDaemon

FOUND = 'fingerd_queries_total{door="tcp",outcome="found"}'
MEASURED = 'fingerd_queries_total{door="metrics",outcome="found"}'
LOOKUPS = 'fingerd_directory_lookups_total{directory="1",kind="file",outcome="answered"}'
USERS = 'fingerd_directory_users{directory="1",kind="file"}'


class MetricsTests(WorkersCase):
    """Prometheus asks, and never knows which of the processes has answered whom."""

    def setUp(self) -> None:
        super().setUp()
        self.started = self.daemon(
            "--metrics=tcp:0:interface=127.0.0.1", "--limit=lookupTime=300", *MANY
        )
        self.addCleanup(self.started.__exit__)
        self.started.__enter__()
        line = next(line for line in self.started.log if "metrics on" in line)
        where = re.search(r"metrics on (\S+);", line)
        assert where is not None
        self.address = where[1]

    def measured(self) -> dict[str, float]:
        with urlopen(f"http://{self.address}/metrics", timeout=PATIENCE) as page:
            return samples(page.read().decode())

    def asked(self, daemon: WorkersDaemon, times: int) -> None:
        for _ in range(times):
            self.assertEqual(daemon.ask(b"moshez\r\n"), ANSWER)

    def test_summed(self) -> None:
        """What all workers have done is added up, and the users are counted once."""
        self.asked(self.started, 40)
        found = self.measured()
        self.assertEqual(found[FOUND], 40)
        self.assertEqual(found['fingerd_query_duration_seconds_count{door="tcp"}'], 40)
        self.assertEqual(found[USERS], 1)
        self.assertEqual(found["fingerd_ready"], 1)
        self.assertEqual(self.measured()[MEASURED], 1)
        with urlopen(f"http://{self.address}/healthz", timeout=PATIENCE) as page:
            self.assertEqual(page.read(), b"ready\n")
        # It is looked at ten times a second.
        while not self.measured()["fingerd_reactor_lag_seconds_count"]:
            pass

    def test_replaced(self) -> None:
        """
        What workers have counted that were replaced, or killed once they had been asked, stays
        counted.
        """
        self.asked(self.started, 20)
        before = self.measured()
        self.assertEqual(before[FOUND], 20)
        watched = Watched(self.started.workers()[0])
        watched.kill()
        self.assertTrue(watched.over())
        self.asked(self.started, 20)
        self.assertEqual(self.measured()[FOUND], 40)
        self.started.says("another is started")
        old = Watched(*self.started.workers())
        self.asked(self.started, 20)
        self.started.signal(signal.SIGUSR2)
        self.started.says("all workers are new")
        self.assertTrue(old.over())
        self.asked(self.started, 20)
        after = self.measured()
        self.assertEqual(after[FOUND], 80)
        self.assertEqual(after['fingerd_query_duration_seconds_count{door="tcp"}'], 80)
        self.assertEqual(after[USERS], 1)


class Hanging:
    """A worker that has said what it has counted, and says nothing any more."""

    isReady = True

    def __init__(self, figures: Figures) -> None:
        self.figures = figuresOf(json.loads(json.dumps(factsOf(figures))))

    def asks(self, word: str, answer: str) -> Deferred[None]:
        return Deferred()


class MeasuringTests(SynchronousTestCase):
    """A parent of workers that don't answer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.finger = Finger(self.clock, moshez="Happy")
        self.finger.startService()
        self.addCleanup(self.finger.stopService)
        self.measuring = Measuring(Finger(self.clock), DEFAULTS, self.clock)

    def test_none(self) -> None:
        """Where there is no worker, the daemon isn't ready."""
        self.assertFalse(self.successResultOf(self.measuring.figures()).loaded)

    def test_hanging(self) -> None:
        """
        One that hangs is waited for as long as for a lookup, and then counts as it was when it last
        answered; when it is over, too.
        """
        self.successResultOf(self.finger.asked(b"moshez"))
        worker = cast(Worker, Hanging(self.finger.figuresNow()))
        self.measuring.began(worker)
        asked = self.measuring.figures()
        self.clock.advance(4)
        self.assertNoResult(asked)
        self.clock.advance(1)
        present = self.successResultOf(asked)
        self.measuring.ended(worker)
        past = self.successResultOf(self.measuring.figures())
        self.assertEqual((present.loaded, past.loaded), (True, False))
        for figures in (present, past):
            self.assertEqual([each.answered for each in figures.counts.lookups], [1])

    def test_newer(self) -> None:
        """What a worker of another version tells otherwise is left out, and harms nobody."""
        told = factsOf(self.finger.figuresNow())
        self.assertIsNone(figuresOf({**told, "lookups": 3}))
        del told["lag"]
        self.assertIsNone(figuresOf(told))
