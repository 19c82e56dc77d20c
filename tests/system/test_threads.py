"""Lookups in threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from threading import Event, Thread
from typing import cast

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import TestCase

from fingerd.model.errors import DirectoryError
from fingerd.system.threads import Threads
from tests.support.daemon import PATIENCE, ROOT
from tests.support.ports import until

THREADS = cast(IReactorFromThreads, reactor)

# A daemon in which a lookup hangs, and which then stops.
HANGS = """
from threading import Event
from twisted.internet import reactor
from fingerd.system.threads import Threads

def hang():
    reactor.callFromThread(stop)
    Event().wait()

def stop():
    threads.stop()
    reactor.stop()

threads = Threads(reactor, 1, 1)
reactor.callWhenRunning(threads.run, "x", hang)
reactor.run()
"""


class Hanging:
    """A lookup that hangs until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self._go = Event()

    def __call__(self) -> str:
        self.begun += 1
        self._go.wait()
        return "found"

    def letGo(self) -> None:
        self._go.set()


class ThreadsTests(TestCase):
    """What happens to lookups that block."""

    def threads(self, count: int = 2, waiting: int = 10) -> Threads:
        """Threads for the length of a test."""
        threads = Threads(THREADS, count, waiting)
        self.addCleanup(threads.stop)
        return threads

    def hanging(self) -> Hanging:
        """A lookup that hangs for the length of a test, if not let go before."""
        hanging = Hanging()
        self.addCleanup(hanging.letGo)
        return hanging

    async def test_result(self) -> None:
        """What a lookup finds is handed to the reactor's thread; the lookup is in another."""
        where = await self.threads().run("x", threading.current_thread)
        self.assertIsNot(where, threading.current_thread())

    async def test_failure(self) -> None:
        """What a lookup raises is its failure, and its thread goes on."""
        threads = self.threads(1)
        for _ in range(2):
            await self.assertFailure(threads.run("x", lambda: 1 // 0), ZeroDivisionError)
        self.assertEqual(await threads.run("x", lambda: 1), 1)

    async def test_threadsAreKept(self) -> None:
        """No more threads are started than there is work for."""
        threads = self.threads(5)
        before = threading.active_count()
        for number in range(20):
            self.assertEqual(await threads.run(number, lambda: "x"), "x")
        self.assertEqual(threading.active_count() - before, 1)

    async def test_bounded(self) -> None:
        """No more lookups run at once than there are threads; the others wait their turn."""
        threads = self.threads(2)
        hanging = [self.hanging() for _ in range(4)]
        results = [threads.run(number, work) for number, work in enumerate(hanging)]
        await until(lambda: hanging[1].begun)
        self.assertEqual([work.begun for work in hanging], [1, 1, 0, 0])
        hanging[1].letGo()
        await until(lambda: hanging[2].begun)
        self.assertEqual([work.begun for work in hanging], [1, 1, 1, 0])
        for work in hanging:
            work.letGo()
        for result in results:
            await result

    async def test_tooManyWait(self) -> None:
        """A lookup for which there is no place fails at once, in words for the log."""
        threads = self.threads(1, waiting=2)
        hanging = self.hanging()
        waiting = [threads.run(number, hanging) for number in range(3)]
        error = await self.assertFailure(threads.run("x", hanging), DirectoryError)
        self.assertEqual(str(error), "busy: 1 lookups at work, 2 waiting")
        # Who asks for what is asked already needs no place.
        waiting.append(threads.run(2, hanging))
        hanging.letGo()
        for result in waiting:
            self.assertEqual(await result, "found")

    async def test_noPlaceToWait(self) -> None:
        """With no place to wait, a thread that is free still takes a lookup."""
        self.assertEqual(await self.threads(1, waiting=0).run("x", lambda: 1), 1)

    async def test_sameLookup(self) -> None:
        """The same lookup, asked for again, is done once: one that hangs holds one thread."""
        threads = self.threads(2)
        hanging = self.hanging()
        results = [threads.run("x", hanging) for _ in range(10)]
        self.assertEqual(await threads.run("y", lambda: "other"), "other")
        hanging.letGo()
        for result in results:
            self.assertEqual(await result, "found")
        self.assertEqual(hanging.begun, 1)
        # And when it is done, it is done anew.
        self.assertEqual(await threads.run("x", lambda: "new"), "new")

    async def test_sameFailure(self) -> None:
        """All who ask for a lookup that fails are told."""
        threads = self.threads(1)
        first = self.hanging()
        threads.run("x", first)
        results = [threads.run("y", lambda: 1 // 0) for _ in range(3)]
        first.letGo()
        for result in results:
            await self.assertFailure(result, ZeroDivisionError)

    async def test_cancelWaiting(self) -> None:
        """A lookup nobody waits for any more is not begun."""
        threads = self.threads(1)
        first, second = self.hanging(), self.hanging()
        running = threads.run("x", first)
        waiting = [threads.run("y", second) for _ in range(2)]
        waiting[0].cancel()
        await self.assertFailure(waiting[0], CancelledError)
        waiting[1].cancel()
        await self.assertFailure(waiting[1], CancelledError)
        again = threads.run("y", lambda: "anew")
        first.letGo()
        self.assertEqual(await running, "found")
        self.assertEqual(await again, "anew")
        self.assertEqual(second.begun, 0)

    async def test_cancelOneOfTwo(self) -> None:
        """Of two who ask for the same, one can leave, whether it has begun or not."""
        threads = self.threads(1)
        work = self.hanging()
        results = []
        for key in ("running", "waiting"):
            left, stayed = threads.run(key, work), threads.run(key, work)
            left.cancel()
            await self.assertFailure(left, CancelledError)
            results.append(stayed)
        work.letGo()
        for result in results:
            self.assertEqual(await result, "found")

    async def test_cancelRunning(self) -> None:
        """A lookup that hangs isn't waited for, and holds its one thread however often asked."""
        threads = self.threads(2)
        hanging = self.hanging()
        for _ in range(5):
            result = threads.run("x", hanging)
            await until(lambda: hanging.begun)
            result.cancel()
            await self.assertFailure(result, CancelledError)
        self.assertEqual(await threads.run("y", lambda: "other"), "other")
        self.assertEqual(hanging.begun, 1)
        again = threads.run("x", hanging)
        hanging.letGo()
        self.assertEqual(await again, "found")

    async def test_stop(self) -> None:
        """At the end, what waits is cancelled, and what runs isn't waited for."""
        # Those of other tests may still be ending.
        before = threading.enumerate()
        threads = Threads(THREADS, 1, 10)
        hanging, never = self.hanging(), self.hanging()
        running, waiting = threads.run("x", hanging), threads.run("y", never)
        await until(lambda: hanging.begun)
        threads.stop()
        await self.assertFailure(waiting, CancelledError)
        await self.assertFailure(threads.run("z", never), DirectoryError)
        hanging.letGo()
        self.assertEqual(await running, "found")
        self.assertEqual(never.begun, 0)
        await until(
            lambda: (
                not any(
                    thread.name == "lookup" and thread not in before
                    for thread in threading.enumerate()
                )
            )
        )

    def test_processEnds(self) -> None:
        """A process ends though a lookup hangs in it."""
        subprocess.run([sys.executable, "-c", HANGS], cwd=ROOT, timeout=PATIENCE, check=True)

    async def test_noThread(self) -> None:
        """Where the system starts no thread a lookup fails in words, and the next may succeed."""
        threads = self.threads(1)

        def start(thread: Thread) -> None:
            raise RuntimeError("can't start new thread")

        patched = self.patch(Thread, "start", start)
        error = await self.assertFailure(threads.run("x", lambda: 1), DirectoryError)
        self.assertEqual(str(error), "no thread for a lookup: can't start new thread")
        patched.restore()
        self.assertEqual(await threads.run("x", lambda: 1), 1)

    async def test_askingInAnAnswer(self) -> None:
        """Who gets an answer can ask the next question at once, or stop others from waiting."""
        threads = self.threads(1)
        hanging = self.hanging()
        first, second = threads.run("x", hanging), threads.run("x", hanging)
        again: list[Deferred[int]] = []

        def answered(result: str) -> None:
            second.cancel()
            again.append(threads.run("x", lambda: 2))

        first.addCallback(answered)
        hanging.letGo()
        await first
        await self.assertFailure(second, CancelledError)
        self.assertEqual(await again[0], 2)
