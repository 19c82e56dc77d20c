"""Who may set whose status."""

from __future__ import annotations

import os
from dataclasses import dataclass

from fingerd.model.record import Setter

__all__ = ["SetPolicy"]

NOT_TOLD = "Not set: it can't be told which user is asking"
# What whoever reads the log may do about it.
NOT_TOLD_BUT = "the client was gone: let it read the answer, or use fingerset or a UNIX socket"
NO_ACCOUNT = "Not set: whoever is asking has no account here"
NOT_YOURS = "Not set: a user sets their own status only"


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """
    By default a user sets their own status, and root and the daemon's own user set anyone's.

    @ivar anyone: anyone who can reach the setter sets anyone's, as in the talk.
    @ivar create: a status can be set, and is then shown, also for a user that no directory
        knows.
    """

    anyone: bool = False
    create: bool = False

    def trusts(self, by: Setter) -> bool:
        """Whether ``by`` sets anyone's status, whatever the policy."""
        # The daemon changes its user after this object was made: so its user is asked for now.
        return by.uid in (0, os.geteuid())

    def refusal(self, by: Setter, login: str) -> str | None:
        """Why ``by`` may not set the status of ``login``, in words for them, or None."""
        if self.anyone or self.trusts(by):
            return None
        if by.login is None:
            return NOT_TOLD if by.uid is None else NO_ACCOUNT
        return None if by.login == login else NOT_YOURS
