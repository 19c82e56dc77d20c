"""Many addresses of one peer."""

from __future__ import annotations

import json
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon.addresses6 import COUNT
from tests.support.daemon import ROOT, TWISTD, needs
from tests.support.network import Network
from tests.support.ports import temporaryFolder


class OnePeerTests(SynchronousTestCase):
    """IPv6, where a peer has as many addresses as it likes."""

    def test_oneNetwork(self) -> None:
        """All the addresses of 64 bits are one peer; the next network has its own connections."""
        needs("ip")
        folder = temporaryFolder(self)
        folder.chmod(0o755)
        (folder / "users").write_text("moshez:Happy\n")
        options = "-n", "--pidfile=", "finger", "--listen=tcp6:0", "--no-setter"
        with (
            Network() as network,
            network.daemon(TWISTD, *options, f"--users={folder}/users") as daemon,
        ):
            clients = sys.executable, f"{ROOT}/tests/daemon/addresses6.py", str(daemon.port)
            answers = json.loads(network.run(*clients))
        happy = "Happy\r\n"
        self.assertEqual(answers, [happy] * 50 + [""] * (COUNT - 50) + [happy])
