"""The example of a store of one's own, by the tests that all stores have in common."""

from __future__ import annotations

import shutil
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from tests.stores.contract import StoreTests
from tests.support.daemon import ROOT


def example() -> Any:
    """The module of the example."""
    spec = spec_from_file_location("journal", ROOT / "docs/plugin/journal.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Journal = example().Journal


class JournalTests(StoreTests):
    """Records in a journal."""

    __test__ = True

    async def store(self, limits: Limits = DEFAULTS) -> IStore:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return self.started(Path(folder) / "journal", limits)

    def started(self, path: Path, limits: Limits = DEFAULTS) -> IStore:
        self.path = path
        journal: Any = Journal(str(path), limits, lambda: self.now)
        journal.privilegedStartService()
        journal.startService()
        self.addCleanup(lambda: journal.stopService() if journal.running else None)
        store: IStore = journal
        return store

    async def again(self, store: Any) -> IStore:
        await store.stopService()
        return self.started(Path(store._path))

    async def done(self, store: Any) -> None:
        await store.stopService()

    async def test_nothingLeft(self) -> None:
        """What is erased is not in the file any more, and what others have set is."""
        store = await self.store()
        await self.set(store, self.status("Looking for work"))
        await self.set(store, self.status("Writing"), login="shawn")
        await store.erase("moshez")
        self.assertNotIn(b"work", self.path.read_bytes())
        self.assertIn(b"Writing", self.path.read_bytes())
