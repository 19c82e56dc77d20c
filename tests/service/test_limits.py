"""How much may be had: below a limit, at it, and above."""

from __future__ import annotations

import resource
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.limits import DEFAULTS, Limits, changed
from fingerd.model.user import User
from fingerd.service.rates import Rates
from fingerd.service.visits import Visits
from fingerd.system import descriptors
from fingerd.system.addresses import peerOf
from tests.support.ports import TIME, Client, Directory, Sockets, TurnClock, inMemory, until
from tests.support.service import Finger

HAPPY = b"Happy\r\n"
TOO_MANY = b"Too many queries; try again in a minute\r\n"


class ConnectionTests(Sockets):
    """Connections, in total and for each peer."""

    def open(self, **limits: int) -> int:
        """A port with these limits, and moshez."""
        return self.serve(limits=Limits(**limits), moshez="Happy")

    async def silent(self, port: int, count: int, host: str = "127.0.0.1") -> list[Client]:
        """
        So many clients that say nothing more than a letter, when the daemon knows of them. (Those
        who haven't said that are let in a second later, and in any order.)
        """
        clients: list[Client] = []
        before = self.count()
        for _ in range(count):
            clients.append(await self.connect(port, host))
            clients[-1].transport.write(b"m")
            await until(lambda: self.count() >= min(before + len(clients), count))
        await until(lambda: self.count() == count)
        return clients

    def count(self) -> int:
        """How many connections are open."""
        return sum(len(cast(Visits, visits)) for visits in {each.visits for each in self.factories})

    async def test_perPeer(self) -> None:
        """A peer has as many connections as it may have; one more is closed, others may come."""
        port = self.open(peerConnections=3)
        clients = await self.silent(port, 2)
        self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)
        await until(lambda: self.count() == 2)
        clients.append(await self.connect(port))
        await until(lambda: self.count() == 3)
        self.assertEqual(await self.ask(port, b"moshez\r\n"), b"")
        self.assertEqual(await self.ask(port, b"mos", b"hez\r\n"), b"")
        for client in clients:
            client.transport.loseConnection()
            await client.closed
        await until(lambda: self.count() == 0)
        self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)

    async def test_otherPeers(self) -> None:
        """One peer's connections leave the others theirs."""
        port = self.serve(limits=Limits(peerConnections=1), interface="::", moshez="Happy")
        (client,) = await self.silent(port, 1, "::1")
        self.assertEqual(await self.ask(port, b"moshez\r\n", host="::1"), b"")
        self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)
        client.transport.loseConnection()

    async def test_inTotal(self) -> None:
        """
        Where there are as many connections as may be, who has been silent longest makes room:
        those who ask are answered, however many there are who don't.
        """
        port = self.open(connections=3)
        clients = await self.silent(port, 3)
        self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)
        self.assertEqual(await clients[0].closed, b"")
        self.assertEqual(await self.ask(port, b"mos", b"hez\r\n"), HAPPY)
        self.assertFalse(clients[2].closed.called)
        for client in clients:
            client.transport.loseConnection()

    async def test_noRoom(self) -> None:
        """Where all are waiting for an answer, a newcomer is closed."""
        waiting: list[Deferred[User | None]] = [Deferred(), Deferred()]
        limits = Limits(connections=2)
        directory = Directory(lambda login: waiting[len(directory.asked) - 1])
        port = self.serve(directory, limits=limits, moshez="Happy")
        clients = [await self.connect(port) for _ in range(2)]
        for client in clients:
            client.transport.write(b"radix\r\n")
        await until(lambda: len(directory.asked) == 2)
        self.assertEqual(await self.ask(port, b"moshez\r\n"), b"")
        for client, asked in zip(clients, waiting, strict=True):
            asked.callback(User("radix", status="Writing"))
            self.assertEqual(await client.closed, b"Writing\r\n")
        await until(lambda: self.count() == 0)
        self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)

    async def test_setter(self) -> None:
        """Clients of the setter that send nothing keep nobody from it, nor from the queries."""
        finger = Finger(TIME, (), None, Limits(setterConnections=2), moshez="Happy")
        port = self.listen(finger.getFingerFactory())
        setter = self.listen(finger.getFingerSetterFactory())
        clients = await self.silent(setter, 2)
        self.assertEqual(await self.ask(setter, b"moshez\nBusy\n"), b"OK\r\n")
        self.assertEqual(await self.ask(port, b"moshez\r\n"), b"Busy\r\n")
        for client in clients:
            client.transport.loseConnection()


class VisitsTests(SynchronousTestCase):
    """Counting visits."""

    def visits(self, **limits: int) -> Visits:
        """Visits of which each peer may have two, of five."""
        return Visits(Limits(**limits), Clock(), 5, 2)

    def test_forgotten(self) -> None:
        """Of a peer that has no connection nothing is kept, and nobody counts as one peer."""
        visits = self.visits()
        held = [visits.enter("tcp", "192.0.2.1", list) for _ in range(2)]
        self.assertIsNone(visits.enter("tcp", "192.0.2.1", list))
        for _ in range(3):
            held.append(visits.enter("unix", None, list))
        for visit in held[:2]:
            assert visit is not None
            visit.leave()
            visit.leave()
        self.assertEqual(len(visits), 3)
        self.assertIsNotNone(visits.enter("tcp", "192.0.2.1", list))

    def test_askingAgain(self) -> None:
        """
        A client who asks again on one connection is not the one that makes room meanwhile, and
        each answer counts as unsent only until the next query.
        """
        visits = self.visits(unsentAnswers=25)
        ended: list[int] = []
        held = [visits.enter("tcp", None, lambda n=n: ended.append(n)) for n in range(5)]  # type: ignore[misc]
        again, other = held[4], held[3]
        assert again is not None and other is not None
        for _ in range(10):
            again.waits()
            self.assertTrue(again.answered("found", 10, 10))
        again.waits()
        other.waits()
        self.assertTrue(other.answered("found", 10, 10))
        self.assertEqual(ended, [])
        # Its answer has been sent by then.
        cast(Clock, visits.clock).pump([0, 0])
        self.assertTrue(visits.makeRoom())
        self.assertEqual(ended, [3])

    def test_room(self) -> None:
        """The one with its answer makes room first, then the oldest silent one; no other does."""
        visits = self.visits()
        ended: list[int] = []
        held = [visits.enter("tcp", None, lambda n=n: ended.append(n)) for n in range(5)]  # type: ignore[misc]
        for visit in held[:3]:
            assert visit is not None
            visit.waits()
        assert held[2] is not None
        held[2].answered("found", 10)
        cast(Clock, visits.clock).pump([0, 0])
        for newcomer in range(3):
            self.assertIsNotNone(visits.enter("tcp", None, list), newcomer)
        self.assertEqual(ended, [2, 3, 4])
        for visit in visits:
            visit.waits()
        self.assertIsNone(visits.enter("tcp", None, list))

    def test_notLookedAt(self) -> None:
        """Nobody goes before the daemon has had the time to see whether they have asked."""
        clock = TurnClock()
        visits = Visits(DEFAULTS, clock, 5, 2)
        ended: list[int] = []
        held = [visits.enter("tcp", None, lambda n=n: ended.append(n)) for n in range(4)]  # type: ignore[misc]
        looked = visits.enter("tcp", None, lambda: ended.append(4), lookedAt=True)
        self.assertIsNotNone(visits.enter("tcp", None, list))
        self.assertEqual(ended, [4])
        self.assertIsNone(visits.enter("tcp", None, list))
        # In the next turn it reads what they have sent.
        clock.turn()
        self.assertIsNone(visits.enter("tcp", None, list))
        clock.turn()
        self.assertIsNotNone(visits.enter("tcp", None, list))
        self.assertEqual(ended, [4, 0])
        clock.turn()
        clock.turn()
        for visit in (*held, looked):
            assert visit is not None
            visit.leave()
        self.assertEqual(clock.getDelayedCalls()[1:], [])

    def test_notSent(self) -> None:
        """Nobody goes before an answer could be sent, as long as there is somebody else to go."""
        clock = TurnClock()
        visits = Visits(DEFAULTS, clock, 3, 3)
        ended: list[int] = []
        held = [visits.enter("tcp", None, lambda n=n: ended.append(n)) for n in range(3)]  # type: ignore[misc]
        clock.turn()
        clock.turn()
        assert held[2] is not None
        held[2].answered("found", 10, 10)
        self.assertTrue(visits.makeRoom())
        clock.turn()
        clock.turn()
        self.assertTrue(visits.makeRoom())
        self.assertEqual(ended, [0, 2])

    def test_unsent(self) -> None:
        """
        Of answers that are too much to be kept, those of a peer go first that has several, however
        new they are; then the oldest.
        """
        visits = self.visits(unsentAnswers=25)
        ended: list[int] = []

        def answered(number: int, host: str | None) -> bool:
            visit = visits.enter("tcp", host, lambda: ended.append(number))
            assert visit is not None
            return visit.answered("found", 10, 10)

        self.assertTrue(answered(0, "192.0.2.1"))
        self.assertTrue(answered(1, "192.0.2.2"))
        # Both are of this turn, and the newcomer has the most.
        self.assertTrue(answered(2, "192.0.2.2"))
        self.assertEqual(ended, [1])
        self.assertTrue(answered(3, None))
        self.assertEqual(ended, [1, 0])

    def test_doors(self) -> None:
        """Who still comes in while the doors are being closed is waited for as well."""
        visits = self.visits()
        visits.opened()
        drained = visits.drain()
        self.assertFalse(drained.called)
        late = visits.enter("tcp", None, list)
        visits.closed()
        self.assertFalse(drained.called)
        assert late is not None
        late.leave()
        self.assertTrue(drained.called)

    def test_doorThatStays(self) -> None:
        """A door that isn't closed holds nothing up for longer than an answer could."""
        visits = self.visits()
        visits.opened()
        drained = visits.drain()
        cast(Clock, visits.clock).advance(DEFAULTS.stopTime)
        self.assertTrue(drained.called)

    def test_peers(self) -> None:
        """A peer is an IPv4 address, however it comes, or an IPv6 network of 64 bits."""
        self.assertEqual(peerOf("::ffff:192.0.2.1"), peerOf("192.0.2.1"))
        self.assertNotEqual(peerOf("192.0.2.1"), peerOf("192.0.2.2"))
        self.assertEqual(peerOf("2001:db8::1"), peerOf("2001:db8::ffff:0:0:2"))
        self.assertNotEqual(peerOf("2001:db8::1"), peerOf("2001:db8:0:1::1"))
        self.assertEqual(peerOf("fe80::1%lo"), peerOf("fe80::1%eth0"))
        self.assertNotEqual(peerOf("fe80::1"), peerOf("fe80::2"))


class RateTests(Sockets):
    """How often a peer may ask."""

    def test_bucket(self) -> None:
        """All at once after a rest, then one for each that has come back; others have theirs."""
        rates = Rates(60, 10)
        self.assertEqual([rates.take("a", 0.0) for _ in range(61)], [True] * 60 + [False])
        self.assertTrue(rates.take("b", 0.0))
        self.assertTrue(rates.take("a", 1.0))
        self.assertFalse(rates.take("a", 1.0))
        self.assertEqual([rates.take("a", 100.0) for _ in range(61)], [True] * 60 + [False])

    def test_one(self) -> None:
        """A limit of one query in a minute is one in a minute."""
        rates = Rates(1, 10)
        self.assertTrue(rates.take("a", 0.0))
        self.assertFalse(rates.take("a", 29.0))
        self.assertTrue(rates.take("a", 60.0))

    def test_refusalsCostNothing(self) -> None:
        """Who goes on asking in vain doesn't wait longer for that."""
        rates = Rates(60, 10)
        for tenth in range(1000):
            rates.take("a", tenth / 10)
        self.assertTrue(rates.take("a", 101.0))

    def test_bounded(self) -> None:
        """Of too many peers, the one that has been silent longest is forgotten."""
        rates = Rates(1, 2)
        for peer in ("a", "b", "a", "c"):
            rates.take(peer, 0.0)
        self.assertEqual(len(rates), 2)
        self.assertFalse(rates.take("a", 1.0))
        self.assertTrue(rates.take("b", 1.0))

    def test_forgotten(self) -> None:
        """Peers who may ask as often as any stranger take no memory, however many there were."""
        rates = Rates(60, 1000)
        for _ in range(61):
            rates.take("greedy", 0.0)
        for tenth in range(300):
            rates.take(str(tenth), tenth / 10)
        # What is still to be known of somebody stays, and with it what came later.
        self.assertEqual([rates.take("greedy", 30.0) for _ in range(31)], [True] * 30 + [False])
        for tenth in range(900, 1800):
            rates.take(str(tenth), tenth / 10)
        self.assertLess(len(rates), 20)

    async def test_queries(self) -> None:
        """A query above the limit is refused in words, whichever way it comes."""
        port = self.serve(limits=Limits(peerQueries=2), moshez="Happy")
        answers = [await self.ask(port, b"moshez\r\n") for _ in range(3)]
        self.assertEqual(answers, [HAPPY, HAPPY, TOO_MANY])
        self.assertEqual(await self.ask(port, b"mos", b"hez\r\n"), TOO_MANY)
        self.assertEqual(await self.ask(port, b"\r\n"), TOO_MANY)


class LookupTests(SynchronousTestCase):
    """Lookups that wait."""

    def test_tooMany(self) -> None:
        """A lookup that would wait beside as many as may is refused; what is at hand is not."""
        waiting: list[Deferred[User | None]] = []

        def look(login: str) -> Deferred[User | None]:
            waiting.append(Deferred())
            return waiting[-1]

        limits = Limits(lookups=2)
        finger = Finger(Clock(), [Directory(look)], None, limits, moshez="Happy")
        first, second, third = (finger.asked(b"radix") for _ in range(3))
        self.assertFalse(first.called or second.called)
        refused = self.successResultOf(third)
        self.assertEqual(refused.outcome, "limited")
        self.assertEqual(refused.words, "Too many queries at once; try again later")
        self.assertEqual(self.successResultOf(finger.asked(b"moshez")).outcome, "found")
        waiting[0].callback(User("radix"))
        self.assertEqual(self.successResultOf(first).outcome, "found")
        self.assertFalse(finger.asked(b"radix").called)


class UnsentTests(SynchronousTestCase):
    """Answers that clients don't take."""

    def test_tooMany(self) -> None:
        """Of too many bytes, the oldest answer is given up; those within the limit are kept."""
        limits = Limits(unsentAnswers=500)
        factory = Finger(Clock(), (), None, limits, moshez="x" * 198).getFingerFactory()
        query = [b"moshez\r\n"]
        first, second = (inMemory(factory, query, ends=False) for _ in range(2))
        self.assertFalse(first.aborted or second.aborted)
        third = inMemory(factory, query, ends=False)
        self.assertEqual([each.aborted for each in (first, second, third)], [True, False, False])
        fourth = inMemory(factory, query, ends=False)
        self.assertEqual([each.aborted for each in (second, third, fourth)], [True, False, False])


class OptionTests(SynchronousTestCase):
    """Every limit can be changed."""

    def test_changed(self) -> None:
        """A limit is changed by its name; the others stay."""
        limits = changed(DEFAULTS, ["peerQueries=7", "connectionTime=1.5"])
        self.assertEqual(limits, Limits(peerQueries=7, connectionTime=1.5))

    def test_mistakes(self) -> None:
        """What is no limit, or no value for one, is said in words."""
        for text, words in (
            ("peerQueries", "it is written NAME=VALUE"),
            ("peerQuerys=1", "is it peerQueries?"),
            ("xyzzy=1", "there is no limit called 'xyzzy'"),
            ("peerQueries=0", "'0' is not a whole number above 0"),
            ("peerQueries=1.5", "'1.5' is not a whole number above 0"),
            ("connectionTime=nan", "'nan' is not a number of seconds above 0"),
            ("connectionTime=", "'' is not a number of seconds above 0"),
        ):
            self.assertIn(words, str(self.assertRaises(ValueError, changed, DEFAULTS, [text])))


class DescriptorTests(SynchronousTestCase):
    """The system's own limit on open files."""

    def test_raised(self) -> None:
        """The process takes what it needs, where it may; where not, there is less room."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        self.assertEqual(descriptors.room(Limits(connections=500)), 500)
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.assertGreater(soft, 1000)
        most = 10 * before[1]
        self.assertLess(descriptors.room(Limits(connections=most)), before[1])
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (before[1], before[1]))
