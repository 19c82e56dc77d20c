"""Running a coroutine that mostly has nothing to wait for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, fail, succeed

T = TypeVar("T")


def begun(work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
    """
    Run ``work`` as L{Deferred.fromCoroutine} does, at a fraction of its price where all that is
    awaited is there already: most queries are answered from memory.
    """
    try:
        awaited = work.send(None)
    except StopIteration as done:
        return succeed(done.value)
    except Exception:
        return fail()
    return Deferred.fromCoroutine(_rest(work, awaited))


@coroutine
def _rest(
    work: Coroutine[Deferred[Any], Any, T], awaited: Deferred[Any]
) -> Generator[Deferred[Any], Any, T]:
    """The rest of ``work``, which has begun and waits."""
    step: Callable[[Any], Deferred[Any]]
    while True:
        try:
            result = yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            step, value = work.throw, error
        else:
            step, value = work.send, result
        try:
            awaited = step(value)
        except StopIteration as done:
            return cast(T, done.value)
