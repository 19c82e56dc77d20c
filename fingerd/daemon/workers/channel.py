"""
The channel between a worker and its parent: a socket, with a line in JSON for each word.

The parent says:

  - C{last}: clients may be kept out from now on (answered with C{last})
  - C{reload}: look for changes (answered with C{reloaded})
  - C{reopen}: go on in new log files
  - C{begin}: accept clients
  - C{knock}: a worker is over, which may have been woken for a client and not have accepted it
  - C{look} and an id: there is a status with this id (answered with C{seen} and the id)
  - C{shown} and an id: all have seen the status with this id
  - C{room} and a row: end a visit of those that are counted there, another worker needs its place
    (answered with C{made} and the row)
  - C{ping}: answered with C{pong}, and what was counted
  - C{measure}: say what was counted (answered with C{measured} and that)
  - C{noted}: what was counted up to the end is known

A worker says:

  - C{ready}, with how many users it has and one of them: it can answer (it is told to C{begin})
  - C{set} and an id: it has kept the status with this id
  - C{full} and a row: another is to end a visit of those that are counted there
  - C{over} and what was counted: all visitors have left, and it ends (answered with C{noted})

Where the channel is closed, the other process is gone.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorSocket
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure


class Channel(LineOnlyReceiver):
    """One end of it."""

    delimiter = b"\n"
    # What was counted by door, outcome and directory takes some thousands.
    MAX_LENGTH = 2**20

    def __init__(self, hears: Callable[[str, list[Any]], object], lost: Callable[[], object]):
        """
        @param hears: called with each word of the other end.
        @param lost: called when there is nobody at the other end any more.
        """
        self._hears = hears
        self._lost = lost

    def say(self, word: str, *facts: object) -> None:
        """Say this to the other end, if there still is one."""
        if self.connected:
            self.sendLine(json.dumps([word, *facts]).encode())

    def close(self) -> None:
        """Say no more."""
        if self.transport is not None:
            self.transport.loseConnection()

    def lineReceived(self, line: bytes) -> None:
        """See L{LineOnlyReceiver}."""
        word, *facts = json.loads(line)
        self._hears(word, facts)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See L{IProtocol}."""
        self._lost()


def connect(channel: Channel, descriptor: int, reactor: IReactorSocket) -> None:
    """Let a channel be at this end of a socket, which is closed with it."""
    os.set_blocking(descriptor, False)
    factory = ServerFactory()
    factory.noisy = False
    factory.buildProtocol = lambda _: channel  # type: ignore[assignment, method-assign]
    reactor.adoptStreamConnection(descriptor, socket.AF_UNIX, factory)
    os.close(descriptor)
