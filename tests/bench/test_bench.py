"""The benches run, and see what is wrong. What they measure is no test: a machine may be busy."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench import memory, plots, servers, users
from bench.__main__ import main
from bench.loading import Load, Loading, compiled, generator
from bench.mixed import KINDS
from bench.processes import freePort
from bench.report import Result, Spread, Table, Target, report
from bench.servers import Running
from tests.support.daemon import PATIENCE, ROOT

IN_PYTHON = [sys.executable, "-m", "bench.load"]


@pytest.mark.slow
class BenchTests(SynchronousTestCase):
    """``python -m bench NAME``."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / "out"

    def measure(self, *words: str) -> str:
        """Run a bench quickly; what it prints."""
        with redirect_stdout(StringIO()) as said, redirect_stderr(StringIO()):
            self.assertEqual(0, main([*words, "--quick", "--out", str(self.out)]))
        return said.getvalue()

    def check(self, name: str, *words: str, plotted: bool = False) -> None:
        """A bench says what it measured, and leaves the same as figures and as a plot."""
        said = self.measure(name, *words)
        self.assertIn("Wrong or missing answers: 0.", said)
        self.assertEqual(said.strip(), (self.out / f"{name}.md").read_text().strip())
        kept = json.loads((self.out / f"{name}.json").read_text())
        self.assertIn("Twisted", kept["machine"])
        self.assertNotEqual([], kept["targets"])
        plot = self.out / f"{name}.png"
        self.assertEqual(plotted and plots.POSSIBLE, plot.exists())
        if plot.exists():
            self.assertTrue(plot.read_bytes().startswith(b"\x89PNG"))
            self.assertLess(plot.stat().st_size, 60_000)

    def test_queries(self) -> None:
        """What a query costs is measured for this daemon and for the others."""
        self.check("queries", plotted=True)
        figures = json.loads((self.out / "queries.json").read_text())["figures"]
        self.assertEqual(["8 clients, query 20 ms after connection", "8 clients"], list(figures))
        for found in figures.values():
            self.assertLessEqual({servers.OURS, servers.TALKS, servers.RAW}, found.keys())

    def test_reload(self) -> None:
        """What a reload costs is measured for each format and size."""
        self.check("reload", "--sizes=1000", plotted=True)
        figures = json.loads((self.out / "reload.json").read_text())["figures"]
        self.assertEqual(["file", "toml"], list(figures))
        self.assertEqual([1000], [size["count"] for size in figures["file"]])

    def test_idle(self) -> None:
        """What idle connections cost is measured, and none is lost meanwhile."""
        self.check("idle")

    def test_workers(self) -> None:
        """What workers cost is measured, with one process beside it."""
        self.check("workers")
        figures = json.loads((self.out / "workers.json").read_text())["figures"]
        self.assertEqual({"2", "4"}, figures["held"].keys())
        self.assertGreaterEqual(sum(figures["held"]["4"]), 30)

    def test_statuses(self) -> None:
        """What setting statuses costs is measured, and every one is in some commit."""
        self.check("statuses", "--settings=100")
        (one,) = json.loads((self.out / "statuses.json").read_text())["figures"]["rounds"]
        self.assertEqual(100, sum(one["batches"]))

    def test_sharing(self) -> None:
        """What setting statuses costs in PostgreSQL is measured, and when others see them."""
        self.check("sharing", "--settings=100")
        figures = json.loads((self.out / "sharing.json").read_text())["figures"]
        self.assertEqual({"SQLite", "PostgreSQL"}, figures["rounds"].keys())
        self.assertEqual([3, 3], [len(some) for some in figures["delays"].values()])

    def test_start(self) -> None:
        """How long a start takes is measured, and what is imported for it is known."""
        self.check("start", "--rounds=1")
        figures = json.loads((self.out / "start.json").read_text())["figures"]
        self.assertIn("fingerd.daemon.tap", figures["twistd finger"]["modules"])
        self.assertNotIn("fingerd.daemon.tap", figures[servers.TALKS]["modules"])

    def test_memory(self) -> None:
        """What becomes of the memory is measured, and each look at it is kept at once."""
        self.check("memory", plotted=True)
        figures = json.loads((self.out / "memory.json").read_text())["figures"]
        first, *_, last = figures["looks"]
        self.assertLess(0, first["malloc"])
        self.assertLess(first["clients"], last["clients"])
        self.assertEqual(last["clients"], sum(figures["came"].values()))
        with open(self.out / "memory.csv", newline="") as file:
            kept = list(csv.DictReader(file))
        self.assertEqual(list(first), list(kept[0]))
        self.assertEqual(len(figures["looks"]), len(kept))

    def test_clients(self) -> None:
        """Clients of each kind get what they should, or are sent away."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with memory.asked(Path(folder.name), count=20, peers=20, stay=1.0) as (_, clients):
            for kind in KINDS:
                asyncio.run(clients.come(10, 0.3, {kind: 1.0}))
        self.assertEqual(KINDS.keys(), clients.seen.came.keys())
        self.assertEqual(0, clients.seen.faults.total(), clients.seen)

    def test_wrongAnswers(self) -> None:
        """A bench whose answers are wrong says so, and ends with another status than 0."""
        self.patch(users, "answer", lambda: "Quite another thing\r\n")
        words = ["queries", "--quick", "--rounds=1", "--queries=10", "--out", str(self.out)]
        with redirect_stdout(StringIO()) as said, redirect_stderr(StringIO()):
            self.assertEqual(1, main(words))
        self.assertNotIn("Wrong or missing answers: 0.", said.getvalue())

    def test_help(self) -> None:
        """``python -m bench`` names the benches there are."""
        said = subprocess.run(
            [sys.executable, "-m", "bench", "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        ).stdout
        for name in ("queries", "reload", "idle", "statuses", "sharing", "start", "memory", "all"):
            self.assertIn(f"\n    {name} ", said)


class LoadTests(SynchronousTestCase):
    """The clients that ask, in C and in Python."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "users"
        users.write(self.path, 100)
        # Without a compiler, the one in Python twice.
        self.generators = [generator(self.folder), IN_PYTHON]

    def load(self, port: int, *answers: str, delay: float = 0) -> list[Load]:
        """What comes of forty queries by each of the generators."""
        loads = [
            Loading(command, port, 4, range(100), *answers, queries=40, delay=delay)
            for command in self.generators
        ]
        return [load.result() for load in loads]

    def test_right(self) -> None:
        """Answers that are any of the right ones are counted and timed."""
        with Running(servers.raw(self.path), self.folder) as server:
            for load in self.load(server.port, "Not this\r\n", users.answer()):
                self.assertEqual((40, 0), (load.right, load.faults))
                self.assertTrue(0 < load.p50 <= load.p99 <= load.max, load)

    def test_delayed(self) -> None:
        """Clients can wait between the connection and the query, and the wait doesn't count."""
        with Running(servers.raw(self.path), self.folder) as server:
            for load in self.load(server.port, users.answer(), delay=0.02):
                self.assertEqual((40, 0), (load.right, load.faults))
                # Ten queries by each client.
                self.assertGreaterEqual(load.seconds, 0.2)

    def test_wrong(self) -> None:
        """Each answer that is not what it should be is counted as wrong."""
        users.write(self.path, 100, word="Reading")
        with Running(servers.raw(self.path), self.folder) as server:
            for load in self.load(server.port, users.answer()):
                self.assertEqual((0, 40, 0), (load.right, load.wrong, load.failed))

    def test_cut(self) -> None:
        """An answer that is only the beginning of the right one is wrong."""
        with Running(servers.raw(self.path), self.folder) as server:
            for load in self.load(server.port, users.answer() + "\r\n"):
                self.assertEqual(40, load.wrong)

    def test_nobodyThere(self) -> None:
        """Each query that nobody takes is counted as failed."""
        for load in self.load(freePort(), users.answer()):
            self.assertEqual((0, 0, 40), (load.right, load.wrong, load.failed))

    def test_stopped(self) -> None:
        """Clients that ask for as long as they may end when they are told to."""
        with Running(servers.raw(self.path), self.folder) as server:
            for command in self.generators:
                loading = Loading(command, server.port, 4, range(100), users.answer(), pause=0.01)
                servers.ask(server.port, b"user0000001\r\n")
                load = loading.stop()
                self.assertEqual(0, load.faults)

    def test_compiledServer(self) -> None:
        """The server in C, where there is a compiler, gives the same answers."""
        least = servers.inC(self.folder, self.path)
        self.assertEqual(compiled("server", self.folder) is None, least is None)
        if least is not None:
            with Running(least, self.folder) as server:
                for load in self.load(server.port, users.answer()):
                    self.assertEqual(40, load.right)

    def test_talksServer(self) -> None:
        """The talk's server answers as it did, whether it logs or not."""
        for logged in (False, True):
            with Running(servers.talks(self.folder, self.path, logged), self.folder) as server:
                self.assertEqual(40, self.load(server.port, users.answer())[0].right)
                self.assertEqual(b"No such user\r\n", servers.ask(server.port, b"nobody\r\n"))
                self.assertEqual(logged, "query b'nobody'" in server.said)

    def test_ends(self) -> None:
        """A server that can't start is given up at once, with what it said."""
        with self.assertRaisesRegex(servers.DidNotStart, "No such file"):
            Running(servers.raw(self.folder / "missing"), self.folder).__enter__()


class ReportTests(SynchronousTestCase):
    """What is said of figures."""

    def test_targets(self) -> None:
        """Targets stand beside what was measured, and a missed one is plain to see."""
        missed = Target("cost of a query", 0.7, 0.68)
        met = Target("rate", 2500, 2000, "/s", atLeast=True)
        result = Result("queries", "What a query costs", "Somehow.", [], [missed, met], {}, 0)
        said = report([result], {"kernel": "some"})
        self.assertRegex(said, r"cost of a query +\| at most 0.68 +\| 0.70 +\| \*\*no\*\* +\|")
        self.assertRegex(said, r"rate +\| at least 2,000/s +\| 2,500/s +\| yes +\|")

    def test_spread(self) -> None:
        """The spread of several rounds is their quartiles."""
        self.assertEqual("3.0 (2.0 to 4.0)", Spread.of([5, 1, 3, 2, 4]).words(1))
        self.assertEqual("7 (7 to 7)", Spread.of([7]).words(0))

    def test_table(self) -> None:
        """A table is Markdown, and can be read as it is."""
        said = Table(("server", "ms"), [["this one", "1.5"]]).markdown()
        self.assertEqual("| server   | ms  |\n| -------- | --- |\n| this one | 1.5 |", said)
