"""The setter port: whatever a client sends, nobody's status is set but the client's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from fingerd.doors.net.telnet import Telnet
from fingerd.doors.setter import grammar
from fingerd.doors.setter.setter_protocol import OK, FingerSetterFactory
from fingerd.model import texts
from fingerd.model.limits import DEFAULTS
from fingerd.model.record import Part
from fingerd.model.rules import Rules
from fingerd.stores.memory import MemoryStore
from fingerd.system.logins import Logins
from tests.fuzz import checks
from tests.support.ports import inMemory
from tests.support.service import Finger

_ENDS = 0
# Who asks: root; else one whose uid nobody knows; else, with or without a login, a user.
_ROOT = 1
_UNKNOWN = 2
_NO_LOGIN = 3
_FROM_AFAR = 4

_NOW = 1e9
_USER = "moshez"
_USERS = (_USER, "radix", "josé")

# All that a client is told that hasn't set a status.
_REFUSALS = (
    texts.NO_SUCH_USER,
    "Not set: ",
    "Two lines are needed: ",
    "Three lines are needed: ",
)


# What was set, by login.
_Set = dict[str, dict[Part, str]]


class _Logins(Logins):
    """Tells the same login of every uid, and at once."""

    def __init__(self, login: Callable[[], str | None]) -> None:
        super().__init__(None)
        self._login = login

    def loginOf(self, uid: int) -> Deferred[str | None]:
        return succeed(self._login())


class Setting:
    """A setter port, with some users whose statuses can be set."""

    def __init__(self) -> None:
        clock = Clock()
        self._uid: int | None = None
        self._login: str | None = None
        self._store = MemoryStore(lambda: _NOW)
        finger = Finger(
            clock,
            (),
            self._store,
            DEFAULTS,
            Rules(),
            None,
            None,
            _Logins(lambda: self._login),
            lambda: _NOW,
            **dict.fromkeys(_USERS, "Happy"),
        )
        self._factory = FingerSetterFactory(finger, DEFAULTS, clock, lambda transport: self._uid)

    def __call__(self, given: bytes) -> None:
        sent = checks.read(given)
        # Neither root nor whoever runs this.
        self._uid = None if sent.flag(_UNKNOWN) else os.geteuid() + 1
        self._login = None if sent.flag(_NO_LOGIN) else _USER
        if sent.flag(_ROOT):
            self._uid, self._login = 0, "root"
        whole, statuses = self._set(sent, [sent.data])
        for segments in sent.cuts:
            assert self._set(sent, segments) == (whole, statuses), whole
        if not whole:
            assert not statuses and not sent.flag(_ENDS)
            return
        text = checks.answerIsWellFormed(whole, DEFAULTS.answerSize)
        first, _, told = text.partition("\n")
        if first != OK:
            assert text.startswith(_REFUSALS), text
            assert not statuses, statuses
            return
        assert not sent.flag(_FROM_AFAR)
        own = not (sent.flag(_UNKNOWN) or sent.flag(_NO_LOGIN))
        mayBeSet = _USERS if sent.flag(_ROOT) else (_USER,) if own else ()
        lines = Telnet().receive(sent.data).split(b"\n")
        wanted = grammar.parse(lines[: grammar.linesOf(lines[0])])
        assert wanted.login in mayBeSet, wanted
        change = wanted.change
        expected = {wanted.login: {change.part: change.text}} if change and change.text else {}
        assert statuses == expected, statuses
        shows = [grammar.readTold(line) for line in told.splitlines()]
        assert len(shows) == (len(expected) if wanted.verb else 0), told
        for when, status in shows:
            assert (when, status.part, status.set) == ("now", change and change.part, _NOW), told

    def _set(self, sent: checks.Bytes, segments: Sequence[bytes]) -> tuple[bytes, _Set]:
        host = "192.0.2.1" if sent.flag(_FROM_AFAR) else "127.0.0.1"
        transport = inMemory(self._factory, segments, sent.flag(_ENDS), host)
        said = transport.value()
        transport.protocol.connectionLost()
        assert transport.value() == said, "more, after the connection was closed"
        return said, self._cleared()

    def _cleared(self) -> _Set:
        """What was set, by login; none of it is set any more."""
        shown: _Set = {}
        for login in {*_USERS, *self._store.logins(1000), *self._store.hidden()}:
            set = [status for status in self._store.held(login) if status is not None]
            if set:
                shown[login] = {status.part: status.text for status in set}
            self._store.erase(login)
        return shown
