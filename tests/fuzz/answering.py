"""Another server: whatever it answers, what a client of ours gets is harmless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory

from fingerd.directories.server import UpstreamServer
from fingerd.model import texts
from fingerd.model.limits import DEFAULTS
from fingerd.model.masking import Mask
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.remote.client import answerText
from fingerd.remote.forwarding import Forwarder
from fingerd.remote.hosts import HostEndpoint
from tests.fuzz import checks
from tests.fuzz.peer import ADDRESS, Peer, PublicResolver
from tests.support.ports import inMemory
from tests.support.service import Finger

_BREAKS = 0
_LIST = 1
_VERBOSE = 2
_FORWARDED = 3

_MASK = Mask(["radix"])


class _NearHost(HostEndpoint):
    """One that is connected to at once: Twisted's own way there would take half of the time."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return cast(Peer, self.reactor).answerTo(protocolFactory)


class _NearServer(UpstreamServer):
    def __init__(self, peer: Peer) -> None:
        super().__init__(ADDRESS, 79, peer, resolver=PublicResolver())
        self._endpoint = _NearHost(ADDRESS, 79, peer, PublicResolver())


class Answering:
    """A finger port whose users are another server's, which also is forwarded to."""

    def __init__(self) -> None:
        self._segments: Sequence[bytes] = ()
        self.peer = Peer(lambda line: self._segments)
        forwarder = Forwarder(
            ["*.example"], lambda: (), self.peer, DEFAULTS, resolver=PublicResolver()
        )
        service = Finger(
            self.peer, [_NearServer(self.peer)], None, DEFAULTS, Rules(mask=_MASK), forwarder
        )
        self.factory = service.getFingerFactory()

    def __call__(self, given: bytes) -> None:
        said = checks.read(given)
        whole = self._asked(said, [said.data])
        for segments in said.cuts:
            assert self._asked(said, segments) == whole, whole
        text = checks.answerIsWellFormed(whole, DEFAULTS.answerSize)
        failed = (
            said.flag(_BREAKS)
            or not said.data
            or len(said.data) > DEFAULTS.upstreamSize
            or (
                not said.flag(_FORWARDED) and answerText(said.data).startswith(texts.INTERNAL_ERROR)
            )
        )
        if failed:
            assert text == f"{texts.internalError('...')}\n", text
        elif not said.flag(_FORWARDED):
            self._isMasked(text, said.flag(_LIST))

    def _isMasked(self, text: str, listed: bool) -> None:
        if listed:
            assert text == f"{texts.NO_SUCH_USER}\n" or text.startswith(f"[{ADDRESS}]\n"), text
        user = User(ADDRESS, report=text)
        seen = _MASK.users([user]) if listed else [_MASK.user(user)]
        assert seen == [user], text

    def _asked(self, said: checks.Bytes, segments: Sequence[bytes]) -> bytes:
        self._segments = segments
        self.peer.breaks = said.flag(_BREAKS)
        name = b"" if said.flag(_LIST) else b"moshez"
        host = b"@host.example" if said.flag(_FORWARDED) else b""
        line = (b"/W " if said.flag(_VERBOSE) else b"") + name + host
        transport = inMemory(self.factory, [line + b"\r\n"], ends=False)
        transport.protocol.connectionLost()
        # A list is kept for so long.
        self.peer.advance(DEFAULTS.listKept)
        wanted = [b"/W"] * said.flag(_VERBOSE) + [name] * (not said.flag(_LIST))
        assert self.peer.requests == [b" ".join(wanted) + b"\r\n"], self.peer.requests
        self.peer.requests.clear()
        return checks.withoutReference(transport.value())
