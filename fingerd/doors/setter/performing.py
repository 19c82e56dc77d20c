"""Doing what a request in the longer form asks for."""

from __future__ import annotations

from collections.abc import Sequence

from fingerd.doors.setter.grammar import Setting, Verb, told
from fingerd.model.interfaces import IFingerSetterService
from fingerd.model.record import Entry, Setter


async def perform(service: IFingerSetterService, wanted: Setting, by: Setter) -> Sequence[str]:
    """
    Do what C{by} wants, and give back what there is to tell, line by line.

    @raise SettingRefused: as the service does.
    """
    login, change = wanted.login, wanted.change
    pairs: list[tuple[str, Entry | None]] = []
    if change is not None or wanted.verb is Verb.UNDO:
        done = await (service.undo(login, by) if change is None else service.set(login, change, by))
        pairs = [("now", done.now), ("before", done.before)]
    elif wanted.verb is Verb.ERASE:
        await service.erase(login, by)
    elif wanted.verb is Verb.HISTORY:
        pairs = [("was", status) for status in await service.changes(login, by)]
    else:
        pairs = [("now", status) for status in await service.record(login, by)]
    return [told(when, status) for when, status in pairs if status is not None]
