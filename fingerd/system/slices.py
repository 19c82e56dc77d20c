"""Long work in short pieces, between which others have their turns, and what of it may block."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

__all__ = ["inSlices"]

T = TypeVar("T")

# What work is made of that takes long: it yields after each step, which is short, and returns what
# comes of it. It yields None, or a function that may block: that is called, wherever it holds
# nobody up, and the step that follows is sent what it returns, or gets the error that it raises.
Steps = Generator[Callable[[], Any] | None, Any, T]

# Others have their turn after so many seconds.
_SLICE = 0.005


def goOn(steps: Steps[T], result: object) -> Callable[[], Any] | None:
    """
    Do the next of the C{steps}.

    @param result: what came of what the one before yielded: a value, or a L{Failure}.
    @return: what that step yields.
    @raise StopIteration: when there are no more.
    """
    if isinstance(result, Failure):
        yielded: Callable[[], Any] | None = result.throwExceptionIntoGenerator(steps)
        return yielded
    return steps.send(result)


def atOnce(steps: Steps[T]) -> T:
    """Do all the C{steps} at once, also what may block; give what comes of them."""
    result: object = None
    while True:
        try:
            blocking = goOn(steps, result)
        except StopIteration as end:
            value: T = end.value
            return value
        result = None
        if blocking is not None:
            try:
                result = blocking()
            except Exception:
                result = Failure()


async def inSlices(
    steps: Steps[T],
    clock: IReactorTime,
    block: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
    slice: float = _SLICE,
) -> T:
    """
    Do all the C{steps}, while others have their turns. They are closed at the end, also where it is
    cancelled.

    @param block: calls what may block, in a thread; None where no step does.
    @param slice: others have their turn after so many seconds.
    @return: what comes of them.
    """
    until = clock.seconds() + slice
    result: object = None
    try:
        while True:
            blocking = goOn(steps, result)
            result = None
            if blocking is not None:
                assert block is not None
                try:
                    result = await block(blocking)
                except CancelledError:
                    raise
                except Exception:
                    result = Failure()
            elif clock.seconds() >= until:
                await deferLater(clock, 0)
            else:
                continue
            until = clock.seconds() + slice
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        steps.close()
