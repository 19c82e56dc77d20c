"""What can be a login."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.user import isLogin


class IsLoginTests(SynchronousTestCase):
    """What can be a login."""

    def test_logins(self) -> None:
        """Letters, digits, dots, underscores and more, in any script, can be a login."""
        for text in ("moshez", "m.z", "m-z", "_apt", "root", "josé", "0", ".", "a:b", "משה"):
            self.assertTrue(isLogin(text), text)

    def test_notLogins(self) -> None:
        """What no request can name, or what a program would take for an option, can't."""
        for text in (
            "",
            " ",
            "a b",
            "a,b",
            "a@b",
            "/W",
            "-l",
            "a\tb",
            "a\x1bb",
            "\x9b",
            "a\u2028b",
        ):
            self.assertFalse(isLogin(text), repr(text))
