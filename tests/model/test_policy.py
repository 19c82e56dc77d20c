"""Who may set whose status."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.policy import NO_ACCOUNT, NOT_TOLD, NOT_YOURS, SetPolicy
from fingerd.model.record import Setter

ALICE = Setter(1001, "alice", "there")
ROOT = Setter(0, "root", "there")
DAEMON = Setter(65534, "nobody", "there")
UNTOLD = Setter(None, None, "there")
NO_LOGIN = Setter(4242, None, "there")
# As a door that knows its users by other means than the kernel's may have it.
BY_LOGIN = Setter(None, "alice", "there")


class PolicyTests(SynchronousTestCase):
    """The rule, by who asks for whom."""

    def setUp(self) -> None:
        self.patch(os, "geteuid", lambda: 65534)

    def test_owner(self) -> None:
        """A user sets their own status and nobody else's."""
        for by in (ALICE, BY_LOGIN):
            self.assertIsNone(SetPolicy().refusal(by, "alice"))
            for other in ("bob", "root", "Alice", "alice ", ""):
                self.assertEqual(SetPolicy().refusal(by, other), NOT_YOURS)

    def test_rootAndDaemon(self) -> None:
        """Root and the daemon's own user, whoever that is by now, set anyone's."""
        for login in ("alice", "root", "nobody"):
            for by in (ROOT, DAEMON, Setter(0, None, "there")):
                self.assertIsNone(SetPolicy().refusal(by, login))
        self.patch(os, "geteuid", lambda: 1)
        self.assertEqual(SetPolicy().refusal(DAEMON, "alice"), NOT_YOURS)

    def test_unknown(self) -> None:
        """Whoever can't be told, or has no account, sets nothing: not even what has no name."""
        for login in ("alice", "root", "", "None"):
            self.assertEqual(SetPolicy().refusal(UNTOLD, login), NOT_TOLD)
            self.assertEqual(SetPolicy().refusal(NO_LOGIN, login), NO_ACCOUNT)

    def test_anyone(self) -> None:
        """Where the administrator says so, anyone sets anyone's."""
        for by in (ALICE, ROOT, UNTOLD, NO_LOGIN):
            self.assertIsNone(SetPolicy(anyone=True).refusal(by, "bob"))
