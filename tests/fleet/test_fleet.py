"""Two daemons, HAProxy before them and one PostgreSQL behind them, each on its own machine."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from unittest import TestCase

import psycopg
import pytest

from fingerd.model.texts import TOO_MANY_QUERIES
from fingerd.stores.kept import CANT_KEEP
from fingerd.stores.postgresql.postgresql_store import UNCERTAIN
from tests.daemon.faults import clockOf, until
from tests.fleet.fleet import CLIENTS, DAEMONS, Fleet

pytestmark = pytest.mark.attacks

# Names that each daemon lets a client ask for at once, and those of one query.
_PEER_QUERIES = 1000
_AT_ONCE = 8
_OTHER = {"one": "two", "two": "one"}
_REFUSED = {CANT_KEEP, UNCERTAIN}


class FleetTests(TestCase):
    """They share a fleet; each has users and clients of its own."""

    fleet: Fleet

    @classmethod
    def setUpClass(cls) -> None:
        users = [f"user{number}" for number in range(20)]
        # All that was acknowledged is looked for, however much it is.
        options = "--history=1000000", f"--limit=peerQueries={_PEER_QUERIES}"
        cls.fleet = cls.enterClassContext(Fleet(users, *options))

    def setUp(self) -> None:
        for name in DAEMONS:
            until(partial(self.fleet.isUp, name), f"{name} up")

    def test_clients(self) -> None:
        """Both daemons answer HAProxy's clients, and know their addresses."""
        for _ in range(10):
            self.assertEqual(self.fleet.ask("user0", CLIENTS[1]), "Happy\r\n")
        peers: Counter[str] = Counter()

        def logged() -> bool:
            each = [self.fleet.queries(name, "user0") for name in DAEMONS]
            peers.clear()
            peers.update(query["peer"] for queries in each for query in queries)
            return peers.total() == 10 and all(each)

        until(logged, "logged by both")
        self.assertEqual(peers, {CLIENTS[1]: 10})

    def test_checks(self) -> None:
        """The daemons and HAProxy find themselves in health; a daemon that is stopped doesn't."""
        for service in "one", "two", "haproxy":
            self.fleet.check(service)
        self.fleet.stop("one")
        self.assertRaises(AssertionError, self.fleet.check, "one")
        self.fleet.check("haproxy")
        self.fleet.start("one")

    def test_peerQueries(self) -> None:
        """
        A client who asks too often is refused by both, and no other client is, nor HAProxy.
        """
        many = " ".join(["user0"] * _AT_ONCE)
        answers: list[str] = []
        refused = f"{TOO_MANY_QUERIES}\r\n"

        def isRefused() -> bool:
            answers.extend(self.fleet.ask(many, CLIENTS[2]) for _ in range(10))
            return answers[-10:] == [refused] * 10

        until(isRefused, "refused by both")
        answered = sum(answer != refused for answer in answers)
        # Each counts for itself.
        self.assertGreaterEqual(answered, 2 * (_PEER_QUERIES // _AT_ONCE))
        self.assertEqual(self.fleet.ask("user0", CLIENTS[3]), "Happy\r\n")
        self.assertTrue(all(map(self.fleet.isUp, DAEMONS)))

    def test_status(self) -> None:
        """A status that is set at one daemon shows at the other, and for HAProxy's clients."""
        for name, other in _OTHER.items():
            self.assertEqual(self.fleet.set(name, "user1", f"Set at {name}"), "OK")
            self.assertEqual(self.fleet.askAt(name, "user1"), f"Set at {name}\r\n")
            self.fleet.shows(other, "user1", f"Set at {name}")
            self.assertEqual(self.fleet.ask("user1"), f"Set at {name}\r\n")

    def test_killed(self) -> None:
        """
        When a daemon is killed, clients go to the other: only those that it was answering in that
        moment have no answer. It has its part again when it runs again.
        """
        clients = 8
        with self.asking(clients) as answers:
            until(lambda: len(answers) > 200, "asked")
            self.fleet.kill("one")
            until(lambda: not self.fleet.isUp("one"), "missed")
            until(self.more(answers), "asked")
            self.fleet.start("one")
            until(lambda: self.fleet.isUp("one"), "up")
        said = Counter(answers)
        self.assertLessEqual(said.pop("", 0), clients)
        self.assertEqual(said.keys(), {"Happy\r\n"})
        self.assertEqual(self.fleet.ask("user1"), self.fleet.askAt("one", "user1"))

    def test_drained(self) -> None:
        """A daemon that HAProxy is told of before it is stopped costs no client its answer."""
        with self.asking(8) as answers:
            until(lambda: len(answers) > 200, "asked")
            self.fleet.tell("set server finger/two state drain")
            until(lambda: self.fleet.clients("two") == 0, "drained")
            self.fleet.stop("two")
            until(self.more(answers), "asked")
            self.fleet.start("two")
            self.fleet.tell("set server finger/two state ready")
            until(lambda: self.fleet.isUp("two"), "up")
            until(lambda: self.fleet.clients("two") > 0, "asked")
        self.assertEqual(set(answers), {"Happy\r\n"})

    def test_cut(self) -> None:
        """
        A daemon that is cut off from its database answers with what it knew, and refuses to set in
        words. When it is connected again, it shows what was set elsewhere meanwhile. The log says
        each thing that was wrong once.
        """
        self.assertEqual(self.fleet.set("two", "user3", "Before"), "OK")
        self.fleet.shows("one", "user3", "Before")
        self.fleet.machines.cut("one", "back")
        try:
            setting: list[str] = []
            thread = threading.Thread(
                target=lambda: setting.append(self.fleet.set("one", "user3", "Lost"))
            )
            thread.start()
            while thread.is_alive():
                thread.join(0.02)
                self.assertEqual(self.fleet.askAt("one", "user3"), "Before\r\n")
            self.assertIn(setting[0], _REFUSED)
            self.assertEqual(self.fleet.set("two", "user3", "Meanwhile"), "OK")
            self.assertEqual(self.fleet.askAt("one", "user3"), "Before\r\n")
            self.assertIn(self.fleet.set("one", "user3", "Lost too"), _REFUSED)
            self.assertTrue(self.fleet.isUp("one"))
        finally:
            self.fleet.machines.mend("one", "back")
        self.fleet.shows("one", "user3", "Meanwhile")
        until(lambda: self.fleet.set("one", "user3", "After") == "OK", "set again")
        self.fleet.shows("two", "user3", "After")
        self.assertEqual(self.kept("user3"), ["Before", "Meanwhile", "After"])
        self.fleet.daemons["one"].says("statuses are kept again")
        said = [line for line in self.fleet.daemons["one"].log if "can't be kept or read" in line]
        troubles = [line.partition("#error] ")[2] for line in said]
        self.assertGreaterEqual(len(troubles), 1)
        self.assertEqual(len(troubles), len(set(troubles)), troubles)

    def test_backendsKilled(self) -> None:
        """
        Connections to the database that are killed while many set cost no status that was
        acknowledged; the others are refused in words.
        """
        kills = 10
        acknowledged: list[tuple[str, str]] = []
        others: set[str] = set()
        stopped = threading.Event()

        def setAll(name: str, login: str, start: int) -> None:
            number = start
            while not stopped.is_set():
                number += 1
                said = self.fleet.set(name, login, f"status {number}")
                if said == "OK":
                    acknowledged.append((login, f"status {number}"))
                else:
                    others.add(said)

        # Each sets for a user of their own, and for one whom the other daemon's set for too.
        threads = [
            threading.Thread(target=setAll, args=(name, f"user{10 + user}", 1_000_000 * number))
            for number, (name, user) in enumerate(
                [("one", 0), ("one", 1), ("one", 2), ("two", 0), ("two", 1), ("two", 3)]
            )
        ]
        for thread in threads:
            thread.start()
        for _ in range(kills):
            until(self.more(acknowledged), "set")
            self.fleet.database.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'fingerd'"
            )
        until(self.more(acknowledged), "set")
        stopped.set()
        for thread in threads:
            thread.join()
        self.assertLessEqual(others, _REFUSED)
        for login in (f"user{10 + user}" for user in range(4)):
            kept = self.kept(login)
            mine = [text for whose, text in acknowledged if whose == login]
            self.assertEqual(set(mine) - set(kept), set())
            for name in DAEMONS:
                self.fleet.shows(name, login, kept[-1])

    def test_clocks(self) -> None:
        """
        Where a machine's clock is a minute ahead, what is set last shows everywhere nevertheless,
        nothing is lost, and the history has the order in which it was set.
        """
        offset = self.fleet.folder / "offset"
        offset.write_text("+60\n")
        with self.fleet.daemon("two", "ahead", 7980, clockOf(offset)):
            texts = [f"{number} at {name}" for number in range(3) for name in ("one", "ahead")]
            for text in texts:
                name = text.split()[-1]
                self.assertEqual(self.fleet.set(name, "user4", text), "OK")
                self.fleet.shows("one", "user4", text)
                self.showsAhead(text)
            self.assertEqual(self.fleet.set("ahead", "user4", "At lunch\n1h", " 3"), "OK")
            self.fleet.shows("one", "user4", "At lunch")
            self.assertEqual(self.fleet.request("one", "user4 undo\n").split("\r\n")[0], "OK")
            self.fleet.shows("one", "user4", texts[-1])
            self.showsAhead(texts[-1])
            for name in "one", "ahead":
                told = self.fleet.request(name, "user4 history\n").split("\r\n")[1:]
                self.assertEqual([line.split("\t")[-1] for line in told if line], texts[::-1])
        self.assertEqual(self.kept("user4"), texts)

    def showsAhead(self, text: str) -> None:
        """Wait until the daemon whose clock is ahead shows this of user4."""
        until(lambda: self.fleet.askAt("two", "user4", 7980) == f"{text}\r\n", f"{text!r} ahead")

    def kept(self, login: str) -> list[str]:
        """What is in the database, in the order in which it was set."""
        with psycopg.connect(
            f"postgresql://owner@/fingerd?host={self.fleet.database.folder}"
        ) as it:
            rows = it.execute(
                "SELECT status FROM fingerd.statuses WHERE login = %s AND part <> '' ORDER BY id",
                (login,),
            )
            return [status for (status,) in rows]

    @contextmanager
    def asking(self, clients: int) -> Iterator[list[str]]:
        """The answers of as many who go on to ask HAProxy until the block ends."""
        answers: list[str] = []
        stopped = threading.Event()

        def askAll(source: str) -> None:
            # No faster than the daemons let one client ask for ever.
            while not stopped.wait(0.03):
                try:
                    answers.append(self.fleet.ask("user2", source))
                except ConnectionError:
                    answers.append("")

        threads = [
            threading.Thread(target=askAll, args=(source,)) for source in CLIENTS[4 : 4 + clients]
        ]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            stopped.set()
            for thread in threads:
                thread.join()

    def more(self, of: list[str] | list[tuple[str, str]]) -> Callable[[], bool]:
        """Whether there are ten more than there were."""
        before = len(of)
        return lambda: len(of) >= before + 10
