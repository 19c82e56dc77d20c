"""Pages as plain text: the finger port's own answers."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from fingerd.doors.plain import answer
from fingerd.doors.plain.encoding import encode
from fingerd.doors.web.web_form import Base
from fingerd.model.reply import Reply
from fingerd.system.slices import inSlices


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
        text = await inSlices(answer.ofList(reply, self._size, now), clock)
        return encode(text, self._size)

    def words(self, words: str, base: Base) -> bytes:
        return encode(words, self._size)
