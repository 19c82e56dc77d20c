"""Two daemons on one PostgreSQL that are killed while their clients set."""

from __future__ import annotations

import os
import random
import tempfile
from unittest import TestCase

import pytest

from tests.directories.servers import PostgreSQLServer
from tests.fleet.kill import kill
from tests.fleet.setters import Counts

pytestmark = pytest.mark.attacks


class KillTests(TestCase):
    """A few kills; C{python -m tests.fleet.kill} does more."""

    def test_killed(self) -> None:
        """What one of them has acknowledged is kept, and shows at both."""
        server = PostgreSQLServer()
        self.addCleanup(server.remove)
        home = self.enterContext(tempfile.TemporaryDirectory())
        os.chmod(home, 0o755)
        counts = Counts()
        kill(4, home, server, random.Random(4), counts)
        self.assertEqual((counts.lost, counts.halfWritten), (0, 0), str(counts))
        self.assertEqual(counts.found, counts.acknowledged)
        self.assertGreater(counts.acknowledged, 0)
