"""Several stores on one database."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from fingerd.model.record import Entry
from tests.stores.statuses import KeptCase, until


class SharingRules(KeptCase):
    """Stores in one process, whatever database they share."""

    async def test_seen(self) -> None:
        """What one daemon's users set shows in the other one, and a clearing too."""
        one, two = self.store(statusesRefresh=0.01), self.store(statusesRefresh=0.01)
        await one.set("moshez", Entry("Writing", 1.0, "uid 1000 (moshez)", 2000.0))
        await until(lambda: self.shown(two) == "Writing")
        self.assertEqual(two.held("moshez"), one.held("moshez"))
        await two.set("moshez", Entry("", 2.0))
        await until(lambda: self.shown(one) is None)

    async def test_order(self) -> None:
        """Of two daemons' statuses for one user, the one that was kept last shows in both."""
        one, two = self.store(statusesRefresh=0.01), self.store(statusesRefresh=0.01)
        await gatherResults(
            [
                store.set("moshez", Entry(f"{name} {number}", 1.0))
                for number in range(50)
                for name, store in (("one", one), ("two", two))
            ]
        )
        (*_, last) = self.rows()
        await until(lambda: self.shown(one) == last and self.shown(two) == last)

    async def test_before(self) -> None:
        """Who sets a status sees, once it is acknowledged, what others have set before it."""
        one, two = self.store(statusesRefresh=3600.0), self.store(statusesRefresh=3600.0)
        for number in range(3):
            await one.set("moshez", Entry(f"status {number}", 1.0))
            await two.set("shawn", Entry(f"status {number}", 1.0))
            self.assertEqual(self.shown(two), f"status {number}")
