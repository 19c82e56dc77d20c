"""
Coroutines that mostly have nothing to wait for.

C{Deferred.fromCoroutine}, and the callbacks that are put on what it gives, cost a good part of what
a short answer costs. A coroutine that comes to its end in one go needs none of them.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


def begun(work: Coroutine[Deferred[Any], Any, T]) -> T | Deferred[T]:
    """
    What C{work} returns, where it has nothing to wait for; else what it will return.

    @raise Exception: what C{work} raises before it waits for anything.
    """
    try:
        awaited = work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return Deferred.fromCoroutine(_goingOn(work, awaited))


@coroutine
def _goingOn(
    work: Coroutine[Deferred[Any], Any, T], awaited: Deferred[Any]
) -> Generator[Deferred[Any], Any, T]:
    """The rest of C{work}, which waits for C{awaited}: what C{yield from} does (PEP 380)."""
    while True:
        try:
            try:
                result = yield awaited
            except BaseException as error:
                awaited = work.throw(error)
            else:
                awaited = work.send(result)
        except StopIteration as end:
            ended: T = end.value
            return ended
