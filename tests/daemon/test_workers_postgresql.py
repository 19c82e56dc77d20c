"""Workers whose statuses are in PostgreSQL: with a real server."""

from __future__ import annotations

import signal

from tests.daemon.test_workers import MANY, WorkersCase
from tests.directories.servers import PostgreSQLServer
from tests.support.workers import Watched, WorkersDaemon


class PostgreSQLTests(WorkersCase):
    """Statuses that are set through one worker, and kept in a database."""

    def setUp(self) -> None:
        super().setUp()
        server = PostgreSQLServer()
        self.addCleanup(server.remove)
        self.url = f"postgresql://owner@/postgres?host={server.folder}"

    def check(self, daemon: WorkersDaemon, text: str, turns: int = 1) -> None:
        """What is set shows in whichever worker is asked, once that is acknowledged."""
        for turn in range(turns):
            said = f"{text} {turn}"
            self.assertEqual(daemon.set("moshez", said), b"OK\r\n")
            self.shows(daemon, said)

    def shows(self, daemon: WorkersDaemon, text: str) -> None:
        """All workers show it, as far as many answers tell."""
        answers = {daemon.ask(b"moshez\r\n") for _ in range(10)}
        self.assertEqual(answers, {text.encode() + b"\r\n"})

    def test_kept(self) -> None:
        """
        Who has read OK sees the status, whichever worker answers; it stays when a worker is killed,
        when all are replaced one by one, and when the daemon begins anew.
        """
        options = (
            f"--state={self.url}",
            "--setter=tcp:0:interface=127.0.0.1",
            "--set-policy=anyone",
            # As long as a busy machine takes. And what shows at once shows because a worker was
            # told: by the other, or by the database.
            *(f"--limit={name}=60" for name in ("statusesShown", "databaseTime", "statusesLocked")),
            "--limit=statusesRefresh=3600",
            *MANY,
        )
        with self.daemon(*options, workers=3) as daemon:
            self.check(daemon, "first", 10)
            first = daemon.workers()[0]
            Watched(first).kill()
            daemon.says(rf"the worker with pid {first} has ended")
            self.shows(daemon, "first 9")
            self.check(daemon, "killed")
            old = daemon.workers()
            daemon.signal(signal.SIGUSR2)
            daemon.says("all workers are new")
            self.assertEqual(set(old) & set(daemon.workers()), set())
            self.shows(daemon, "killed 0")
            self.check(daemon, "rolled", 5)
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.ended(), -signal.SIGTERM)
        self.assertEqual([line for line in daemon.log if "Traceback" in line], [])
        with self.daemon(*options) as daemon:
            self.shows(daemon, "rolled 4")
