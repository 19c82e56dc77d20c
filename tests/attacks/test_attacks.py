"""Clients that mean no good, against the real daemon, and good ones beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial

import pytest
from twisted.trial.unittest import SynchronousTestCase

from tests.attacks import attackers
from tests.attacks.attackers import OPENINGS, Crowd, Got, xs
from tests.attacks.floods import FLOODS
from tests.attacks.siege import Report, Siege, room
from tests.support.daemon import Daemon, needsRoot
from tests.support.ports import temporaryFolder

# They load the machine for a minute, and so are left out where they are not asked for.
pytestmark = pytest.mark.attacks

HAPPY = b"Happy and well\r\n"
SHORT = "--limit=connectionTime=3"


def setter(daemon: Daemon) -> int:
    """The setter port of a daemon."""
    return daemon.setterPort


def web(daemon: Daemon) -> int:
    """The web port of a daemon."""
    found = re.search(r"finger on [^,;]+, [^,;]+:(\d+);", daemon.startLine)
    assert found is not None
    return int(found[1])


class SiegeCase(SynchronousTestCase):
    """A test of a daemon under attack."""

    def attack(
        self,
        attack: Callable[[int], Got],
        *arguments: str,
        at: Callable[[Daemon], int] = lambda daemon: daemon.port,
    ) -> Report:
        """
        Attack a daemon with these options: no good query is lost, its memory and descriptors come
        back, and it logs little of it.

        @param attack: is given a port.
        @param at: which port that is: the finger port, if it isn't said.
        """
        if at is setter:
            # Of one user the setter has only so many, be they good or not.
            needsRoot()
        with Siege(temporaryFolder(self), *arguments) as siege:
            report = siege.under(lambda daemon: attack(at(daemon)))
            self.assertEqual(siege.daemon.ask(b"moshez\r\n"), HAPPY)
        self.assertEqual(report.good.lost, [])
        self.assertGreater(report.good.asked, 5)
        self.assertLessEqual(report.after.descriptors, report.before.descriptors)
        # Python gives back what it has used, if not to the last megabyte.
        self.assertLess(report.after.memory, report.before.memory + 60)
        self.assertLess(report.logged[0], 30)
        self.assertLess(report.logged[1], 5000)
        return report


class IdleTests(SiegeCase):
    """Clients that stay, and want nothing."""

    def test_silent(self) -> None:
        """10,000 clients that send nothing are closed when their time is over."""
        count = room(10_000)
        report = self.attack(partial(attackers.silent, count=count), SHORT)
        self.assertEqual(report.attack, (count, 0, count))
        self.assertLess(report.peak.memory, report.before.memory + 200)

    def test_dripping(self) -> None:
        """A byte a second buys them no more time."""
        count = room(10_000)
        report = self.attack(partial(attackers.dripping, count=count, every=1.0), SHORT)
        self.assertEqual(report.attack, (count, 0, count))

    def test_full(self) -> None:
        """Where they hold all of the connections, whoever asks is answered all the same."""
        self.attack(partial(attackers.silent, count=500), SHORT, "--limit=connections=200")

    def test_staying(self) -> None:
        """Nor do those keep anyone out who have their answers and stay, of one address or many."""
        full = SHORT, "--limit=connections=300"
        for ofOne in (20, 1000):
            self.attack(
                partial(attackers.staying, count=1000, query=b"moshez\r\n", ofOne=ofOne, seconds=3),
                *full,
            )

    def test_oneAddress(self) -> None:
        """One address has 50 of the connections, and no more."""

        report = self.attack(lambda port: Crowd(port, 500, ofOne=500).closed(), SHORT)
        self.assertEqual(report.attack, (500, 0, 500))
        self.assertLess(report.peak.descriptors, 500)


class UnreadTests(SiegeCase):
    """Clients that don't read what they have asked for."""

    def test_list(self) -> None:
        """A long list that thousands don't read is there once, and given up with them."""
        report = self.attack(partial(attackers.unread, count=2000, query=b"\r\n"), SHORT)
        self.assertEqual(report.attack, (2000, 0, 2000))
        self.assertLess(report.peak.memory, report.before.memory + 100)

    def test_full(self) -> None:
        """Where they hold all of the connections, they make room for those who read."""
        for query in (b"long\r\n", b"\r\n"):
            self.attack(
                partial(attackers.unread, count=500, query=query),
                SHORT,
                "--limit=connections=200",
            )


class ResetTests(SiegeCase):
    """Clients that reset their connections."""

    def test_storms(self) -> None:
        """Whenever they do it, they cost nothing but the moment."""
        for query, wait in ((b"", 0.0), (b"moshez\r\n", 0.0), (b"mo", 0.01), (b"\r\n", 0.02)):
            self.attack(partial(attackers.resetting, count=2000, query=query, wait=wait))


class GarbageTests(SiegeCase):
    """Clients that send what is no query."""

    def test_endless(self) -> None:
        """100 MB of a line that doesn't end, or of anything, are cut off again and again."""
        size = 100 * 2**20
        for count, make in ((20, xs), (20, os.urandom), (1, os.urandom)):
            report = self.attack(
                partial(
                    attackers.endless,
                    count=count,
                    size=size if count > 1 else size // 10,
                    make=make,
                )
            )
            self.assertGreater(report.attack.offered, 0)
            self.assertLess(report.peak.memory, report.before.memory + 20)

    def test_slowly(self) -> None:
        """A query a byte a segment is a query."""

        def attack(port: int) -> Got:
            answers = attackers.slowly(port, 2000, b"moshez\r\n")
            self.assertEqual(set(answers), {HAPPY})
            return Got(len(answers), len(answers))

        self.attack(attack)

    def test_strangers(self) -> None:
        """Those who speak another protocol are told something or closed, and the next one comes."""
        openings = list(OPENINGS.values())
        count = 20 * len(openings)
        attack = partial(attackers.strangers, count=20, openings=openings)
        short = "--limit=connectionTime=1"
        report = self.attack(attack, short)
        self.assertEqual(sum(report.attack[1:]), count)
        report = self.attack(attack, short, at=setter)
        self.assertEqual(sum(report.attack[1:]), count)


class FloodTests(SynchronousTestCase):
    """Newcomers who come faster than places become free."""

    def test_settings(self) -> None:
        """Beside them all who ask are answered, and all who set a status get their OK."""
        needsRoot()
        for name, flood in FLOODS.items():
            with flood.siege(temporaryFolder(self)) as siege:
                report = siege.under(partial(flood.attack, count=9000))
            self.assertEqual(report.good.lost, [], name)
            self.assertGreater(report.good.settings, 0, name)


class SetterTests(SiegeCase):
    """Clients of the setter that don't set anything."""

    def test_halfOpen(self) -> None:
        """Statuses are set beside any number of them, and asked for."""
        for said in (b"", b"moshez\n"):
            report = self.attack(partial(attackers.silent, count=1000, said=said), SHORT, at=setter)
            self.assertEqual(report.attack, (1000, 0, 1000))


class WebTests(SiegeCase):
    """Clients of the web door that take its connections, and those of the finger port with them."""

    def test_idle(self) -> None:
        """Beside 10,000 that say nothing, or never end their headers, queries are answered."""
        count = room(10_000)
        for said, told in ((b"", 0), (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", count)):
            report = self.attack(
                partial(attackers.silent, count=count, said=said),
                *("--web=tcp:0:interface=127.0.0.1", "--limit=webRequest=3"),
                at=web,
            )
            # Those who have begun are told why they are closed, unless others needed the place.
            self.assertEqual(report.attack.offered, count)
            self.assertLessEqual(report.attack.served, told)
            self.assertEqual(report.attack.served + report.attack.closed, count)
            self.assertLess(report.peak.memory, report.before.memory + 300)

    def test_staying(self) -> None:
        """So they are where many have their page, and stay."""
        page = b"GET /moshez HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"
        self.attack(
            partial(attackers.staying, count=1000, query=page, ofOne=20, seconds=3),
            *("--web=tcp:0:interface=127.0.0.1", "--limit=connections=300"),
            at=web,
        )
