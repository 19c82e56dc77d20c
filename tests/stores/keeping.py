"""What is kept stays: for every store with a database."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from fingerd.model.errors import SettingRefused
from fingerd.model.record import Entry, Record
from fingerd.stores.kept import NOT_RUNNING, TOO_MANY
from tests.stores.statuses import KeptCase


class KeepingRules(KeptCase):
    """One daemon."""

    async def test_committed(self) -> None:
        """A status is acknowledged when it is in the database, for anybody to see."""
        store = self.store()
        seen: list[Any] = []
        setting = store.set("moshez", Entry("Happy and well", 1.5))
        await setting.addCallback(lambda _: seen.extend(self.rows()))
        self.assertEqual(seen, ["Happy and well"])
        self.assertEqual(self.shown(store), "Happy and well")

    async def test_restart(self) -> None:
        """Who set what, when and until when is the same after a restart."""
        first = self.store()
        statuses = {
            "moshez": Entry("Grüße, \U0001f600 'quoted' \"twice\"; --", 1.25, "uid 1000 (moshez)"),
            "shawn": Entry("At lunch", 2.5, "uid 0 (root)", 5000.75),
        }
        for login, status in statuses.items():
            await first.set(login, status)
        await first.set("gone", Entry("Here", 3.0))
        await first.set("gone", Entry("", 4.0))
        await first.stopService()
        second = self.store()
        for login in ("gone", "shawn", "moshez", "nobody"):
            self.assertEqual(second.held(login), Record(statuses.get(login)))
        self.assertEqual(len(second), 2)

    async def test_expiryAfterRestart(self) -> None:
        """A status that expires while the daemon is down uncovers the one before it."""
        first = self.store()
        await first.set("moshez", Entry("Happy and well", 1000.0))
        await first.set("moshez", Entry("On the phone", 1000.0, until=1005.0))
        await first.set("moshez", Entry("At lunch", 1000.0, until=1010.0))
        await first.stopService()
        second = self.store()
        self.assertEqual(self.shown(second), "At lunch")
        await second.stopService()
        self.now = 1010.0
        self.assertEqual(self.shown(self.store()), "Happy and well")

    async def test_history(self) -> None:
        """The earlier statuses are kept, who set them and when, and a clearing is one of them."""
        store = self.store()
        await store.set("moshez", Entry("Writing", 1.0, "uid 1000 (moshez)"))
        await store.set("moshez", Entry("", 2.0, "uid 0 (root)"))
        await store.set("moshez", Entry("Reading", 3.0, "uid 1000 (moshez)", 4.0))
        self.assertEqual(
            self.rows("status, set_at, set_by, until"),
            [
                ("Writing", 1.0, "uid 1000 (moshez)", None),
                ("", 2.0, "uid 0 (root)", None),
                ("Reading", 3.0, "uid 1000 (moshez)", 4.0),
            ],
        )

    async def test_historyHasAnEnd(self) -> None:
        """Of a user's earlier statuses only the last are kept, as many as the limit says."""
        store = self.store(statusHistory=3)
        for number in range(3):
            await store.set("shawn", Entry(f"status {number}", 1.0))
        for number in range(8):
            await store.set("moshez", Entry(f"status {number}", 1.0))
        self.assertEqual(self.rows(), ["status 4", "status 5", "status 6", "status 7"])
        self.assertEqual(len(self.rows(login="shawn")), 3)

    async def test_historyKeepsWhatShowsAgain(self) -> None:
        """However many short statuses follow it, one that stays shows again after a restart."""
        first = self.store(statusHistory=3)
        await first.set("moshez", Entry("Happy and well", 1.0))
        for number in range(8):
            playing = Entry(f"song {number}", 1.0, until=1001.0 + number)
            await first.set("moshez", playing)
        await first.stopService()
        self.now = 2000.0
        self.assertEqual(self.shown(self.store()), "Happy and well")
        self.assertEqual(len(self.rows()), 5)

    async def test_manyTogether(self) -> None:
        """A burst is written in commits of a bounded size, all of it and in order."""
        store = self.store(statusesAtOnce=7)
        order: list[int] = []

        async def set(number: int) -> None:
            await store.set("moshez", Entry(f"status {number}", 1.0))
            order.append(number)

        await gatherResults([Deferred.fromCoroutine(set(number)) for number in range(30)])
        self.assertEqual(order, list(range(30)))
        self.assertEqual(self.shown(store), "status 29")

    async def test_oneCommit(self) -> None:
        """However many share a commit: each is kept, in order, and no more than the limit."""
        first = self.store(statusHistory=1, statusesWaiting=2000, statusesAtOnce=1000)
        await gatherResults(
            [
                first.set(f"user{number}", Entry(f"status {round}", 1.0))
                for round in range(3)
                for number in range(250)
            ]
        )
        for number in range(250):
            self.assertEqual(self.shown(first, f"user{number}"), "status 2")
            self.assertEqual(self.rows(login=f"user{number}"), ["status 1", "status 2"])
        await first.stopService()
        self.assertEqual(len(self.store()), 250)

    async def test_readingDoesNotWait(self) -> None:
        """While a status is being written, what showed before is told at once."""
        store = self.store()
        await store.set("moshez", Entry("Happy and well", 1.0))
        setting = store.set("moshez", Entry("Writing", 2.0))
        self.assertEqual(self.shown(store), "Happy and well")
        await setting
        self.assertEqual(self.shown(store), "Writing")

    async def test_tooManyWaiting(self) -> None:
        """More than may wait for the disk are refused in words; the others are kept."""
        store = self.store(statusesWaiting=5)
        # One is being written, and five wait.
        settings = [store.set(f"user{n}", Entry("Writing", 1.0)) for n in range(6)]
        refused = store.set("user6", Entry("Writing", 1.0))
        self.assertEqual(str(self.failureResultOf(refused, SettingRefused).value), TOO_MANY)
        await gatherResults(settings)
        self.assertEqual(len(store), 6)
        await store.set("user6", Entry("Writing", 1.0))

    async def test_refusedAlone(self) -> None:
        """A status that can't be kept is refused, and those set with it are not."""
        store = self.store()
        settings = [store.set(f"user{n}", Entry("Writing", 1.0)) for n in range(3)]
        refused = store.set("moshez", Entry("\ud800", 1.0))
        settings.append(store.set("shawn", Entry("Reading", 1.0)))
        self.failureResultOf(refused, SettingRefused)
        await gatherResults(settings)
        self.assertEqual(len(store), 4)

    async def test_clientGone(self) -> None:
        """A status whose client doesn't wait for the answer is set all the same."""
        store = self.store()
        impatient = store.set("moshez", Entry("Writing", 1.0))
        impatient.addErrback(lambda failure: None).cancel()
        await store.set("shawn", Entry("Reading", 1.0))
        self.assertEqual(self.shown(store), "Writing")

    async def test_stop(self) -> None:
        """Stopping writes and acknowledges all that waits, and takes nothing more."""
        store = self.store()
        settings = [store.set(f"user{n}", Entry("Writing", 1.0)) for n in range(20)]
        stopped = store.stopService()
        refused = store.set("moshez", Entry("Too late", 1.0))
        self.assertEqual(str(self.failureResultOf(refused, SettingRefused).value), NOT_RUNNING)
        await stopped
        for setting in settings:
            self.successResultOf(setting)
        self.assertEqual(len(self.store()), 20)

    async def test_startedAgain(self) -> None:
        """A store that was stopped can be started again."""
        store = self.store()
        await store.set("moshez", Entry("Writing", 1.0))
        await store.stopService()
        store.startService()
        await store.set("shawn", Entry("Reading", 1.0))
        self.assertEqual(len(store), 2)
