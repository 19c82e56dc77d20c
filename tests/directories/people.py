"""
The same people in every database, and what all who ask one must find out of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from fingerd.directories.by_url import fromURL
from fingerd.directories.connected.connected_directory import ConnectedDirectory
from fingerd.model.errors import DirectoryError
from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import HIDDEN as KNOWN_AND_HIDDEN
from fingerd.model.user import User
from tests.support.ports import temporaryFolder

THREADS = cast(IReactorFromThreads, reactor)

MOSHEZ = User(
    "moshez",
    name="Moshe Zadka",
    status="Happy and well",
    office="42",
    officePhone="555-0042",
    homePhone="555-0100",
    project="A finger server",
    plan="Several lines\nare welcome here",
    publicKey="ssh-ed25519 AAAA",
)
JOSE = User("josé", name="José 漢字 ☕", status="Está en la reunión")
CROWD = [User(f"u{number}", name=f"User {number}") for number in range(50)]
# And there is radix, who is hidden.
HIDDEN = "radix"
SHOWN = [MOSHEZ, JOSE, *CROWD]


def opened(case: TestCase, url: str, limits: Limits = DEFAULTS) -> ConnectedDirectory:
    """A directory that was started, and is stopped when the test ends."""
    directory = cast(ConnectedDirectory, fromURL(url, THREADS, limits))
    directory.startService()
    case.addCleanup(directory.stopService)
    return directory


def written(case: TestCase, text: str) -> Path:
    """A file with this text, for the length of the test."""
    file = temporaryFolder(case) / "query.toml"
    file.parent.chmod(0o755)
    file.write_text(text)
    return file


class People(TestCase):
    """A database with these people."""

    def directory(self, limits: Limits = DEFAULTS) -> ConnectedDirectory:
        """The directory with them."""
        raise NotImplementedError

    async def fails(self, asking: Deferred[User | None]) -> str:
        """Why that failed, which was foreseen."""
        return str(await self.assertFailure(asking, DirectoryError))


class WhoIsThere:
    """What holds for every kind: to be mixed into L{People}."""

    directory: Callable[..., ConnectedDirectory]
    assertEqual: Callable[..., None]
    assertIn: Callable[..., None]
    assertIsNone: Callable[..., None]
    assertCountEqual: Callable[..., None]
    assertTrue: Callable[..., None]

    async def test_user(self) -> None:
        """A user is found with all that is known of them; wide characters are no trouble."""
        directory = self.directory()
        self.assertTrue(verifyObject(IDirectory, directory))
        for user in (MOSHEZ, JOSE, CROWD[7]):
            self.assertEqual(await directory.getUser(user.login), user)

    async def test_unknown(self) -> None:
        """Who isn't there is unknown, also in other letters; who is hidden is said to be."""
        directory = self.directory()
        for login in ("nobody", "Moshez", "moshe", "漢字", "moshez'--", "*", "mos*", "%"):
            self.assertIsNone(await directory.getUser(login))
        self.assertTrue(await directory.getUser(HIDDEN) is KNOWN_AND_HIDDEN)

    async def test_list(self) -> None:
        """The list has all who aren't hidden, and no more than are wanted."""
        directory = self.directory()
        self.assertCountEqual(await directory.getUsers(1000), SHOWN)
        # Who is hidden may be one of the three.
        self.assertIn(len(await directory.getUsers(3)), (2, 3))

    async def test_fifty(self) -> None:
        """Fifty lookups at once all have their answers."""
        directory = self.directory()
        users = await gatherResults([directory.getUser(user.login) for user in CROWD])
        self.assertEqual(users, CROWD)

    async def test_oddLogins(self) -> None:
        """What can't be a login is unknown."""
        directory = self.directory()
        for login in ("", "a\0b", "a b", "-a", "\ud800", "a\nb", "a,b", "a\x1bb"):
            self.assertIsNone(await directory.getUser(login))
