"""The finger port: whatever a client sends, what it gets is an answer."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.net.telnet import Telnet
from fingerd.model import texts
from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import DEFAULTS
from fingerd.model.masking import Mask
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.remote.forwarding import Forwarder
from fingerd.text.replacing import Replacements
from tests.fuzz import checks
from tests.fuzz.peer import Peer, PublicResolver
from tests.support.ports import inMemory
from tests.support.service import Finger

SECRET = "whom nobody may see"

_ENDS = 0

# Whom nobody may tell from each other.
_MASKED, _UNKNOWN = b"radix", b"rarix"

_USERS = (
    User("moshez", name="Moshe Zadka", status="Happy\nand \x1b[2Jwell", office="42"),
    User("radix", name="Moshe Radix", status=SECRET, plan=SECRET),
    User("josé", name="Jos\u202e\u00e9 \u30b8", plan="\tTo ask\r\nand \ufeffto answer\x9b1m"),
    User("jp", publicKey="KEY" * 40, homePhone="555", project="Microsoft"),
)


@implementer(IDirectory)
class _Known:
    def getUser(self, login: str) -> Deferred[User | None]:
        return succeed(next((user for user in _USERS if user.login == login), None))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed(list(_USERS[:limit]))


def _says(line: bytes) -> list[bytes]:
    """What the hosts say that queries are forwarded to: all that they were asked."""
    assert line.endswith(b"\r\n") and line.count(b"\n") == line.count(b"\r") == 1, line
    return [b"You\x1b[2J asked\r\n", line]


class Asking:
    """A finger port with some users, one of them masked, and hosts to forward to."""

    def __init__(self) -> None:
        self.peer = Peer(_says)
        self.factory = self._factory()

    def __call__(self, given: bytes) -> None:
        sent = checks.read(given)
        ends = sent.flag(_ENDS)
        whole = self._answer([sent.data], ends)
        for segments in sent.cuts:
            assert self._answer(segments, ends) == whole, whole
        plain = Telnet().receive(sent.data)
        if not (ends or b"\n" in plain or len(plain) > DEFAULTS.queryLength):
            assert whole == b"", whole
            return
        text = checks.answerIsWellFormed(whole, DEFAULTS.answerSize)
        # All that could fail here is the daemon itself.
        assert texts.INTERNAL_ERROR not in text, text
        assert SECRET not in text, text
        assert "Microsoft" not in text or b"Microsoft" in sent.data, text
        if _MASKED in sent.data:
            unknown = self._answer([sent.data.replace(_MASKED, _UNKNOWN)], ends)
            assert unknown.replace(_UNKNOWN, _MASKED) == whole.replace(_UNKNOWN, _MASKED), whole

    def _answer(self, segments: Sequence[bytes], ends: bool) -> bytes:
        transport = inMemory(self.factory, segments, ends)
        said: bytes = transport.value()
        transport.protocol.connectionLost()
        assert transport.value() == said, "more, after the connection was closed"
        self.peer.requests.clear()
        return said

    def _factory(self) -> FingerFactory:
        forwarder = Forwarder(
            ["*.example"], lambda: (), self.peer, DEFAULTS, resolver=PublicResolver()
        )
        rules = Rules(
            mask=Mask(["radix"]), matched=True, replacements=Replacements([("Microsoft", "It")])
        )
        return Finger(self.peer, [_Known()], None, DEFAULTS, rules, forwarder).getFingerFactory()
