"""What every store does alike: a class of tests, which a store of any kind is run through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import NOTHING_SET, YES, Entry, Part, Record
from fingerd.stores.memory import MemoryStore
from tests.support.daemon import PATIENCE

BY = "uid 1000 (moshez)"
# A login, what is done, and how long that lasts: a part with a text, or None to undo or erase.
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["moshez", "shawn"]),
        st.sampled_from([*Part, "undo", "undo", "erase"]),
        st.sampled_from(["", YES, "Writing\nand more"]),
        st.none() | st.integers(1, 9),
    ),
    max_size=15,
)


class StoreTests(TestCase):
    """The contract of L{IStore}; a class that inherits from this makes the stores."""

    # A class of tests for others, and none itself: see those that make a store.
    __test__ = False

    timeout = PATIENCE
    # How many examples a property has: each makes a store.
    examples = 20

    def setUp(self) -> None:
        self.now = 1000.0

    async def store(self, limits: Limits = DEFAULTS) -> IStore:
        """An empty store that runs, whose clock is C{self.now}."""
        raise NotImplementedError

    async def again(self, store: IStore) -> IStore:
        """The store after a restart; or the same, where what it keeps doesn't outlive it."""
        return store

    def status(self, text: str, part: Part = Part.STATUS, lasts: float | None = None) -> Entry:
        """What is set now."""
        return Entry(text, self.now, BY, None if lasts is None else self.now + lasts, part)

    async def set(self, store: IStore, *statuses: Entry, login: str = "moshez") -> None:
        for status in statuses:
            await store.set(login, status)
            self.now += 1

    async def test_parts(self) -> None:
        """Each part of a record is set by itself, and tells who set it, when and until when."""
        store = await self.store()
        self.assertEqual(store.held("moshez"), NOTHING_SET)
        record = Record(
            *(self.status(f"{part}\nGr\u00fc\u00dfe '\";--", part, 500.0) for part in Part)
        )
        await gatherResults([store.set("moshez", each) for each in record if each])
        self.assertEqual(store.held("moshez"), record)
        self.assertEqual((await self.again(store)).held("moshez"), record)

    async def test_ends(self) -> None:
        """What has an end is over then, and what it lay over shows again; so for each part."""
        store = await self.store()
        for part in Part:
            below, above = self.status("for good", part), self.status("for now", part, 100.0)
            await self.set(store, below, above)
            self.assertEqual(store.held("moshez").of(part), above)
        store = await self.again(store)
        self.now += 200
        for part in Part:
            record = store.held("moshez").of(part)
            self.assertEqual(record and record.text, "for good")

    async def test_clearing(self) -> None:
        """What is cleared doesn't show, and the other parts do."""
        store = await self.store()
        plan = self.status("To write", Part.PLAN)
        await self.set(store, plan, self.status("Busy"), self.status(""))
        self.assertEqual(store.held("moshez"), Record(plan=plan))
        self.assertEqual((await self.again(store)).held("moshez"), Record(plan=plan))

    async def test_logins(self) -> None:
        """The store tells for whom something shows, and who is hidden."""
        store = await self.store()
        await self.set(store, self.status("Busy", lasts=100.0), login="a")
        await self.set(store, self.status("To write", Part.PLAN), login="b")
        await self.set(store, self.status("Twisted", Part.PROJECT), login="c")
        await self.set(store, self.status(YES, Part.HIDDEN, 100.0), login="d")
        await self.set(store, self.status(YES, Part.HIDDEN), login="e")
        await self.set(store, self.status(YES, Part.PUBLIC_HISTORY), login="f")
        store = await self.again(store)
        self.assertEqual(store.logins(10), ["a", "b", "c"])
        self.assertEqual(len(store.logins(2)), 2)
        self.assertEqual(set(store.hidden()), {"d", "e"})
        self.now += 200
        self.assertEqual(store.logins(10), ["b", "c"])
        self.assertEqual(set(store.hidden()), {"e"})
        await self.set(store, self.status("", Part.HIDDEN), login="e")
        self.assertEqual(set(store.hidden()), set())

    async def test_undo(self) -> None:
        """The last change, whatever it was, is taken back as though it had never been made."""
        store = await self.store()
        at = self.now
        writing, lunch = self.status("Writing"), self.status("At lunch", lasts=900.0)
        plan = self.status("To write", Part.PLAN)
        await self.set(store, writing, lunch, self.status("Busy"), plan, self.status(""))
        self.assertEqual(await store.undo("moshez"), Part.STATUS)
        self.assertEqual(store.held("moshez").status, replace(self.status("Busy"), set=at))
        self.assertEqual(await store.undo("moshez"), Part.PLAN)
        store = await self.again(store)
        self.assertIsNone(store.held("moshez").plan)
        self.assertEqual(await store.undo("moshez"), Part.STATUS)
        self.assertEqual(store.held("moshez"), Record(lunch))
        self.now = at + 900
        # What has ended by itself is not what was set last.
        self.assertEqual(await store.undo("moshez"), Part.STATUS)
        self.assertEqual(store.held("moshez"), NOTHING_SET)
        self.assertIsNone(await store.undo("moshez"))
        self.assertIsNone(await store.undo("nobody"))
        self.assertEqual((await self.again(store)).held("moshez"), NOTHING_SET)

    async def test_erase(self) -> None:
        """All that was ever set is forgotten, and others' isn't; it can be set anew."""
        store = await self.store()
        await self.set(store, *(self.status("x", part) for part in Part))
        await self.set(store, self.status("Writing"), login="shawn")
        await store.erase("moshez")
        await store.erase("nobody")
        for _ in range(2):
            self.assertEqual(store.held("moshez"), NOTHING_SET)
            self.assertEqual(list(store.hidden()), [])
            self.assertEqual(await store.history("moshez", 100, whole=True), [])
            self.assertNotEqual(store.held("shawn"), NOTHING_SET)
            store = await self.again(store)
        self.assertIsNone(await store.undo("moshez"))
        new = self.status("Busy")
        await self.set(store, new)
        self.assertEqual((await self.again(store)).held("moshez"), Record(new))

    async def test_history(self) -> None:
        """The history has statuses; the whole one has what else was set, and clearings."""
        store = await self.store()
        wanted = [
            self.status("Writing"),
            self.status(""),
            self.status("To write", Part.PLAN),
            self.status("At lunch", lasts=5.0),
            self.status("Busy"),
            self.status(YES, Part.HIDDEN),
        ]
        await self.set(store, *wanted)
        self.now += 100
        store = await self.again(store)
        self.assertEqual(await store.history("moshez", 100), [wanted[4]])
        self.assertEqual(await store.history("moshez", 9, ended=True), [wanted[4], wanted[3]])
        self.assertEqual(await store.history("moshez", 100, whole=True), wanted[::-1])
        self.assertEqual(await store.history("moshez", 2, whole=True), wanted[:-3:-1])

    async def test_end(self) -> None:
        """Of each part the last changes are kept, and not more, however many other parts have."""
        store = await self.store(replace(DEFAULTS, statusHistory=3, planHistory=1))
        for number in range(6):
            await self.set(store, *(self.status(f"{number}", part) for part in Part))
        kept = await store.history("moshez", 1000, whole=True)
        for part in Part:
            texts = [status.text for status in kept if status.part is part]
            self.assertEqual(texts, ["5", "4", "3", "2"] if part is Part.STATUS else ["5", "4"])

    async def test_undoBeyondTheEnd(self) -> None:
        """However short the history is, what it has can be taken back to what showed before it."""
        limits = replace(DEFAULTS, statusHistory=3, planHistory=3)
        store = await self.store(limits)
        for part in Part:
            await self.set(store, self.status(YES, part))
            for _ in range(8):
                await self.set(store, self.status("for now", part, 2.0))
            await self.set(store, self.status("mistaken", part), self.status("", part))
            await store.undo("moshez")
            await store.undo("moshez")
            self.now += 100
        for _ in range(2):
            for part in Part:
                record = store.held("moshez").of(part)
                self.assertEqual(record and record.text, YES)
            store = await self.again(store)

    async def test_together(self) -> None:
        """What is done at once is done in order, whoever waits for it."""
        store = await self.store()
        done: list[Deferred[Any]] = []
        for number in range(30):
            done.append(store.set("moshez", self.status(f"{number}")))
            if number % 3 == 0:
                done.append(store.undo("moshez"))
            if number % 10 == 5:
                done.append(store.erase("moshez"))
            done.append(store.set("shawn", self.status(f"{number}", Part.PLAN)))
        await gatherResults(done)
        for _ in range(2):
            kept = await store.history("moshez", 100)
            self.assertEqual([status.text for status in kept], ["29", "28", "26"])
            self.assertEqual(store.held("moshez").status, kept[0])
            plan = store.held("shawn").plan
            self.assertEqual(plan and plan.text, "29")
            store = await self.again(store)

    def test_asInMemory(self) -> Deferred[None]:
        """Whatever is set, undone and erased, the store has what one in memory has."""

        async def checked(deeds: list[tuple[str, Any, str, int | None]]) -> None:
            self.now = 1000.0
            store = await self.store()
            like = MemoryStore(lambda: self.now)
            for login, deed, text, lasts in deeds:
                self.now += 1
                if deed == "undo":
                    self.assertEqual(await store.undo(login), await like.undo(login))
                    continue
                for each in (store, like):
                    if deed == "erase":
                        await each.erase(login)
                    else:
                        await each.set(login, self.status(text, deed, lasts))
            again = await self.again(store)
            for _ in range(6):
                for login in ("moshez", "shawn"):
                    self.assertEqual(again.held(login), like.held(login))
                    for whole in (False, True):
                        self.assertEqual(
                            await again.history(login, 50, whole),
                            await like.history(login, 50, whole),
                        )
                self.now += 2
            await self.done(again)

        examples: list[list[tuple[str, Any, str, int | None]]] = []

        @settings(deadline=None, max_examples=self.examples)
        @given(DEEDS)
        def choose(deeds: list[tuple[str, Any, str, int | None]]) -> None:
            examples.append(deeds)

        choose()

        async def all() -> None:
            for each in examples:
                await checked(each)

        return Deferred.fromCoroutine(all())

    async def done(self, store: IStore) -> None:
        """A store is not used any more."""
