"""Pages as plain text: the finger port's own answers."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from fingerd.doors.plain import answer
from fingerd.doors.plain.encoding import encode
from fingerd.doors.web.web_form import Base, inSlices
from fingerd.model.reply import Reply
from fingerd.model.user import User


class TextForm:
    """See L{fingerd.doors.web.web_form.Form}."""

    kind = b"text/plain; charset=utf-8"

    def __init__(self, size: int) -> None:
        """
        @param size: how many bytes an answer has at most.
        """
        self._size = size

    def user(self, reply: Reply, base: Base, now: float) -> bytes:
        return encode(answer.of(reply, self._size, now), self._size)

    async def list(self, reply: Reply, base: Base, now: float, clock: IReactorTime) -> bytes:
        # To prepare them takes longer than to lay them out.
        users = await inSlices(reply.users, _asItIs, clock)
        await deferLater(clock, 0)
        return self.user(replace(reply, users=users, _rendered=None), base, now)

    def words(self, words: str, base: Base) -> bytes:
        return encode(words, self._size)


def _asItIs(user: User) -> User:
    return user
