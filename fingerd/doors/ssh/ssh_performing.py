"""Doing what a command wants: the service is asked, and says all that there is to decide."""

from __future__ import annotations

import time

from twisted.internet.defer import Deferred

from fingerd.doors.plain import answer, sentences
from fingerd.doors.ssh.ssh_commands import HELP, Wanted
from fingerd.model.interfaces import IRemoteSetterService
from fingerd.model.limits import Limits
from fingerd.model.query import Name, Query
from fingerd.model.record import Change, Setter
from fingerd.model.visiting import IVisit


class Performer:
    """Performs commands of users whose login is proven."""

    def __init__(self, service: IRemoteSetterService, limits: Limits) -> None:
        self._service = service
        self._limits = limits

    def perform(self, login: str, wanted: Wanted, given: bytes, visit: IVisit) -> Deferred[str]:
        """
        Do what C{login} wants.

        @param given: their standard input, where the command reads it.
        @return: fires with what to say, with LF line ends. It fails with L{SettingRefused} or
            ValueError, in words for the user, where nothing was changed.
        """
        return Deferred.fromCoroutine(self._perform(login, wanted, given, visit))

    async def _perform(self, login: str, wanted: Wanted, given: bytes, visit: IVisit) -> str:
        if wanted.verb == "help":
            return HELP
        if wanted.verb == "show":
            reply = await self._service.ask(Query((Name(login),)), visit)
            return answer.of(reply, self._limits.answerSize) + "\n"
        text = _text(given) if wanted.reads else wanted.text
        by = Setter(None, login, "ssh" if visit.host is None else f"ssh from {visit.host}")
        lines = await self._told(login, wanted, text, by)
        return "".join(f"{line}\n" for line in lines)

    async def _told(self, login: str, wanted: Wanted, text: str, by: Setter) -> list[str]:
        if wanted.verb == "history":
            return sentences.history(await self._service.changes(login, by), time.time())
        if wanted.verb == "erase":
            await self._service.erase(login, by)
            return [sentences.erasure(login)]
        if wanted.verb == "undo":
            done = await self._service.undo(login, by)
        else:
            change = Change(text, wanted.seconds, wanted.part)
            done = await self._service.set(login, change, by)
        return [sentences.change(login, done.now, done.before, time.time())]


def _text(given: bytes) -> str:
    try:
        text = given.decode("utf-8").replace("\r\n", "\n").strip()
    except UnicodeDecodeError:
        raise ValueError("a status is UTF-8 text") from None
    if not text:
        raise ValueError("standard input is empty: to take back what was set, use clear")
    return text
