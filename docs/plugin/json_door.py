"""A finger port that answers in JSON, for programs: ``--door json:tcp:7980``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorCore, IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.net.listening import Listener
from fingerd.doors.net.listening import endpoint as endpointOf
from fingerd.model.interfaces import IDoor, IFingerService
from fingerd.model.limits import Limits
from fingerd.model.reply import Reply


class JSONFactory(FingerFactory):
    """Takes the request line that every finger port takes, and answers in lines of JSON."""

    # What the query log calls it.
    door = "json"

    def render(self, reply: Reply) -> bytes:
        """As many of the lines as an answer may have bytes."""
        lines: list[bytes] = []
        size = 0
        for words in _lines(reply):
            line = json.dumps(words).encode("ascii") + b"\n"
            size += len(line)
            if size > self.limits.answerSize:
                break
            lines.append(line)
        return b"".join(lines)

    def renderList(self, reply: Reply) -> Deferred[bytes]:
        """A list has its lines too."""
        return succeed(self.render(reply))


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
