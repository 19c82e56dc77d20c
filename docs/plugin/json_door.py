"""A finger port that answers in JSON, for programs: ``--door json:tcp:7980``."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorCore, IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.net.listening import Listener
from fingerd.doors.net.listening import endpoint as endpointOf
from fingerd.model.interfaces import IFingerService
from fingerd.model.limits import Limits
from fingerd.model.plugins import IDoor
from fingerd.model.reply import Reply
from fingerd.system.slices import inSlices


class JSONFactory(FingerFactory):
    """Takes the request line that every finger port takes, and answers in lines of JSON."""

    # What the query log calls it.
    door = "json"

    def render(self, reply: Reply) -> bytes:
        """The answer to a query for a user, or for several."""
        return b"".join(self._pieces(reply))

    def renderList(self, reply: Reply) -> Deferred[bytes]:
        """The answer to a query for the list: while a long one is made, others have their turns."""
        return Deferred.fromCoroutine(inSlices(_joined(self._pieces(reply)), self.clock))

    def _pieces(self, reply: Reply) -> Iterator[bytes]:
        """As many of the lines as an answer may have bytes."""
        size = 0
        for words in _lines(reply):
            line = json.dumps(words).encode("ascii") + b"\n"
            size += len(line)
            if size > self.limits.answerSize:
                break
            yield line


def _joined(pieces: Iterator[bytes]) -> Generator[None, None, bytes]:
    """All the pieces, a step each."""
    taken = []
    for piece in pieces:
        taken.append(piece)
        yield
    return b"".join(taken)


def _lines(reply: Reply) -> Iterator[dict[str, object]]:
    """
    The outcome, and whatever there is to say in words; then a line for each user. Everything in a
    reply may be shown as it is.
    """
    yield {"outcome": reply.outcome, "words": reply.words}
    for user in reply.users:
        yield {name: value for name, value in user._asdict().items() if value}
    for name, words in reply.failures:
        yield {"failed": name, "words": words}
    for name, part in reply.parts:
        yield {"asked": name}
        yield from _lines(part)


@implementer(IPlugin, IDoor)
class JSONDoor:
    """What ``--door json:ENDPOINT`` means."""

    name = "json"

    def listener(
        self, service: IFingerService, endpoint: str, reactor: object, limits: Limits
    ) -> Listener:
        """
        Called once, at the start, and as root where root started the daemon.

        @raise ValueError: when C{endpoint} describes none. The daemon doesn't start then, and
            says so.
        """
        factory = JSONFactory(service, limits, cast(IReactorTime, reactor))
        return Listener(endpoint, endpointOf(cast(IReactorCore, reactor), endpoint), factory)
